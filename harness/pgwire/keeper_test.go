package pgwire_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
)

// keeper is a scripted keeper: it lets batches go at once, but for those that parks picks out. It checks
// that what it is told of each link makes sense in its order.
type keeper struct {
	tb    testing.TB
	parks func(*pgwire.Batch) bool

	mu      sync.Mutex
	changed sync.Cond
	opened  int
	links   []*pgwire.Link
	state   map[*pgwire.Link]string // busy, held; none is idle
	parked  []*pgwire.Batch
	log     []string // the texts of what was offered, and of what was withdrawn
	failed  []error
}

// front returns a front over dial with a scripted keeper. With the test it is closed, and nothing may be left.
func front(tb testing.TB, dial pgwire.DialFunc, parks func(*pgwire.Batch) bool) (*pgwire.Front, *keeper) {
	tb.Helper()
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	k := &keeper{tb: tb, parks: parks, state: map[*pgwire.Link]string{}}
	k.changed.L = &k.mu
	f := pgwire.NewFront(dial, k)
	tb.Cleanup(func() {
		if err := f.Close(); err != nil {
			tb.Error(err)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if len(k.state) > 0 || len(k.parked) > 0 || len(f.Links()) > 0 {
			tb.Errorf("left over: %v, %d parked, %d links", k.state, len(k.parked), len(f.Links()))
		}
	})
	return f, k
}

func (k *keeper) told(what string, l *pgwire.Link, to string, from ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	was, ok := k.state[l], false
	for _, s := range from {
		ok = ok || s == was
	}
	if !ok {
		k.tb.Errorf("%s of a link that is %q", what, was)
	}
	if to == "" {
		delete(k.state, l)
	} else {
		k.state[l] = to
	}
	k.changed.Broadcast()
}

func (k *keeper) Busy(l *pgwire.Link) { k.told("Busy", l, "busy", "", "held") }
func (k *keeper) Idle(l *pgwire.Link) { k.told("Idle", l, "", "busy", "held") }
func (k *keeper) Held(l *pgwire.Link) { k.told("Held", l, "held", "busy") }

func (k *keeper) Opened(_ context.Context, l *pgwire.Link) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opened++
	k.links = append(k.links, l)
	k.changed.Broadcast()
}

func (k *keeper) Offered(b *pgwire.Batch) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log = append(k.log, b.Text())
	if k.parks == nil || !k.parks(b) {
		return true
	}
	k.parked = append(k.parked, b)
	k.changed.Broadcast()
	return false
}

func (k *keeper) Withdrawn(b *pgwire.Batch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, p := range k.parked {
		if p == b {
			k.parked = append(k.parked[:i:i], k.parked[i+1:]...)
			k.log = append(k.log, "withdrawn: "+b.Text())
			k.changed.Broadcast()
			return
		}
	}
	k.tb.Errorf("withdrawn, and was not parked: %s", b.Text())
}

func (k *keeper) Failed(_ *pgwire.Link, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failed = append(k.failed, err)
	k.changed.Broadcast()
}

// until waits until something holds of what the keeper was told.
func (k *keeper) until(holds func() bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for !holds() {
		k.changed.Wait()
	}
}

// idle waits until no link is busy.
func (k *keeper) idle() { k.until(func() bool { return len(k.state) == 0 }) }

// next takes the batch that is parked next, waiting for it.
func (k *keeper) next() *pgwire.Batch {
	var b *pgwire.Batch
	k.until(func() bool {
		if len(k.parked) == 0 {
			return false
		}
		b, k.parked = k.parked[0], k.parked[1:]
		return true
	})
	return b
}

// release sends what is parked, one batch at a time, whenever no link is busy, until it is told to stop.
func (k *keeper) release() (stop func()) {
	stopped := false
	var done sync.WaitGroup
	done.Go(func() {
		for {
			var b *pgwire.Batch
			k.until(func() bool {
				if len(k.parked) > 0 && len(k.state) == 0 && !stopped {
					b, k.parked = k.parked[0], k.parked[1:]
				}
				return b != nil || stopped
			})
			if b == nil {
				return
			}
			b.Send()
		}
	})
	return func() {
		k.mu.Lock()
		stopped = true
		k.changed.Broadcast()
		k.mu.Unlock()
		done.Wait()
	}
}

func (k *keeper) said() (log []string, failed []error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append(log, k.log...), append(failed, k.failed...)
}

// fronted makes a client go through a front.
func fronted(f *pgwire.Front) func(*pgx.ConnConfig) {
	return func(c *pgx.ConnConfig) { c.DialFunc = f.Dial }
}

func messages(b *pgwire.Batch) bool { return b.Kind == pgwire.Messages }

// row is one result as text.
func row(values ...any) string { return fmt.Sprint(values...) }
