package gate

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/pgwire"
	"github.com/tenantstorm/tenantstorm/harness/point"
	"github.com/tenantstorm/tenantstorm/model"
)

// Options of a gate.
type Options struct {
	// Dial connects to the server. It should be one whose connections close synchronously, as
	// pgwire.Warm's DialLingering does.
	Dial pgwire.DialFunc
	// Locks asks PostgreSQL who waits for whom.
	Locks *Locks
	// Hide are texts that stand for what differs between executions, such as the names of databases: in
	// labels each is replaced by "…".
	Hide []string
	// Calm is how long a service in another process may be silent before it counts as at rest. Zero: 250 ms.
	Calm time.Duration
}

// Gate stands between a service and PostgreSQL for one case. Outside of [Gate.Run] it is open: everything
// passes, and is counted. Safe for concurrent use; one Run at a time.
type Gate struct {
	front *pgwire.Front
	dial  pgwire.DialFunc
	locks *Locks
	hide  []string

	quietFor time.Duration // see Options.Calm

	mu      sync.Mutex
	changed sync.Cond
	on      bool
	parked  []*unit
	serial  int // of units
	states  map[*pgwire.Link]state
	moving  int                  // links in state executing
	owners  map[*pgwire.Link]int // the operation a link works for
	order   map[*pgwire.Link]int // links in the order of their opening
	counted map[model.Point]int  // by operation and kind, Nth being 0: how many there were
	reached map[int]int          // by operation: how many points it has come to
	traffic map[int]*history.Traffic
	rows    map[*pgwire.Link]int // rows of a link that are counted in traffic
	broken  []string
	race    *run // what decides about points in the code; nil: the gate is open
	sites   map[*point.Site]string

	listener *pgwire.Listener      // for services in other processes; nil until one is asked for
	outer    map[*pgwire.Link]bool // their links, those that are over, too
	moves    int                   // counts whatever links and operations do
}

// state is what the server does for a link.
type state int

const (
	idle      state = iota
	executing       // a reply is owed
	waiting         // a reply is owed, and waits for a lock
	held            // the reply has come, and the client has not been given it
)

// unit is something that is stopped at a point.
type unit struct {
	point   model.Point
	label   string
	serial  int
	stopped int           // of one that stops in the code where it could go on: how far its operation had come, see reached
	batch   *pgwire.Batch // what is to be sent,
	resume  chan struct{} // or whom to wake
}

// New returns an open gate.
func New(o Options) *Gate {
	g := &Gate{
		dial: o.Dial, locks: o.Locks, hide: o.Hide, quietFor: o.Calm,
		states: map[*pgwire.Link]state{}, owners: map[*pgwire.Link]int{}, counted: map[model.Point]int{}, reached: map[int]int{},
		order: map[*pgwire.Link]int{}, traffic: map[int]*history.Traffic{},
		rows: map[*pgwire.Link]int{}, sites: map[*point.Site]string{}, outer: map[*pgwire.Link]bool{},
	}
	g.changed.L = &g.mu
	g.front = pgwire.NewFront(o.Dial, g)
	return g
}

// Dial is the dial function that the service has to use.
func (g *Gate) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return g.front.Dial(ctx, network, address)
}

// Direct is the dial function beneath the gate, for a service that is no part of what is scheduled.
func (g *Gate) Direct(ctx context.Context, network, address string) (net.Conn, error) {
	return g.dial(ctx, network, address)
}

// Close ends every connection that is left.
func (g *Gate) Close() error {
	g.open()
	g.mu.Lock()
	listener := g.listener
	g.mu.Unlock()
	var err error
	if listener != nil {
		err = listener.Close()
	}
	return errors.Join(err, g.front.Close())
}

type opKey struct{}

// WithOp returns a context that names an operation: what is done under it is done for that operation.
func WithOp(ctx context.Context, op int) context.Context { return context.WithValue(ctx, opKey{}, op) }

// opOf returns the operation that a context names; 0 if it names none.
func opOf(ctx context.Context) int {
	op, _ := ctx.Value(opKey{}).(int)
	return op
}

// Traffic returns what an operation exchanged with the server so far.
func (g *Gate) Traffic(op int) history.Traffic {
	g.mu.Lock()
	var links []*pgwire.Link
	for l, owner := range g.owners {
		if owner == op {
			links = append(links, l)
		}
	}
	g.mu.Unlock()
	for _, l := range links {
		g.count(l)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return *g.trafficOf(op)
}

// count counts a link's rows for the operation that it belongs to. It must be called before it belongs to
// another, and without the gate's mutex, which is taken after a link's.
func (g *Gate) count(l *pgwire.Link) {
	rows := l.Rows()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.outer[l] {
		return // it changes hands while it is asked for, and whose rows these were is not known
	}
	if more := rows - g.rows[l]; more > 0 {
		g.trafficOf(g.owners[l]).Rows += more
		g.rows[l] = rows
	}
}

func (g *Gate) trafficOf(op int) *history.Traffic {
	t := g.traffic[op]
	if t == nil {
		t = &history.Traffic{}
		g.traffic[op] = t
	}
	return t
}

// Broken returns why connections broke, where neither side had closed them, and whose they were.
func (g *Gate) Broken() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.broken)
}

// Had reports whether a connection of the gate has, or had, the backend with this process id.
func (g *Gate) Had(pid uint32) bool { return g.front.Had(pid) }

// PIDs returns the process ids of the backends that the gate's connections have.
func (g *Gate) PIDs() []uint32 {
	var pids []uint32
	for _, l := range g.front.Links() {
		if pid := l.PID(); pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// park stops a unit at the next point of its kind. It wants the mutex held.
func (g *Gate) park(u *unit) {
	g.serial++
	u.serial = g.serial
	g.moves++
	g.parked = append(g.parked, u)
	g.changed.Broadcast()
}

// next counts a point of an operation. It wants the mutex held.
func (g *Gate) next(op int, kind model.PointKind) model.Point {
	return g.nextAt(model.Point{Op: op, Kind: kind})
}

func (g *Gate) nextAt(of model.Point) model.Point {
	g.counted[of]++
	g.reached[of.Op]++
	of.Nth = g.counted[of]
	return of
}

// yield stops the calling goroutine at a point while the gate is shut.
func (g *Gate) yield(op int, kind model.PointKind, label string) {
	g.mu.Lock()
	at := g.next(op, kind)
	if !g.on || op == 0 {
		g.mu.Unlock()
		return
	}
	u := &unit{point: at, label: label, resume: make(chan struct{})}
	g.park(u)
	g.mu.Unlock()
	<-u.resume
}

// open lets everything go on, and from now on pass.
func (g *Gate) open() {
	g.mu.Lock()
	g.on, g.race = false, nil
	parked := g.parked
	g.parked = nil
	g.changed.Broadcast()
	g.mu.Unlock()
	for _, u := range parked {
		u.release()
	}
	// Replies that were kept back for the sake of order have none any more.
	g.mu.Lock()
	links := slices.Collect(maps.Keys(g.states))
	g.mu.Unlock()
	for _, l := range links {
		g.mu.Lock()
		if s := g.states[l]; s == waiting || s == held {
			g.set(l, executing)
		}
		g.mu.Unlock()
		l.Deliver()
	}
}

func (u *unit) release() {
	if u.batch != nil {
		u.batch.Send()
		return
	}
	close(u.resume)
}

// set changes a link's state. It wants the mutex held.
func (g *Gate) set(l *pgwire.Link, to state) {
	was := g.states[l]
	g.moves++
	if was == executing {
		g.moving--
	}
	if to == executing {
		g.moving++
	}
	if to == idle {
		delete(g.states, l)
	} else {
		g.states[l] = to
	}
	g.changed.Broadcast()
}

// labelLength is how many bytes of a statement a label shows.
const labelLength = 60

// label shortens a statement to what people need to recognise it.
func (g *Gate) label(text string) string {
	for _, h := range g.hide {
		text = strings.ReplaceAll(text, h, "…")
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > labelLength {
		text = strings.ToValidUTF8(text[:labelLength], "") + "…"
	}
	return text
}

// patience is how long a service that does not move is waited for, where nothing else is said.
const patience = model.DefaultDeadline

func orPatience(d time.Duration) time.Duration {
	if d <= 0 {
		return patience
	}
	return d
}

func sortUnits(units []*unit) {
	slices.SortFunc(units, func(a, b *unit) int {
		if a.point.Op != b.point.Op {
			return a.point.Op - b.point.Op
		}
		return a.serial - b.serial
	})
}
