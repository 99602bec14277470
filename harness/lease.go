package harness

import (
	"context"
	"slices"
	"sync"

	"github.com/tenantstorm/tenantstorm/model"
)

// held is a lease and whether it was given back: a second release must do nothing.
type held struct {
	mu       sync.Mutex // one release at a time: the first uses the lease before it gives it back
	lease    Lease
	project  int
	released bool
}

// Held returns the handles of the leases that are not released, in order.
func (r *Run) Held() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	var hs []int
	for n, h := range r.leases {
		if !h.released {
			hs = append(hs, n)
		}
	}
	slices.Sort(hs)
	return hs
}

func (r *Run) lease(handle int) *held {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leases[handle]
}

func (r *Run) hold(ctx context.Context, o model.Op, name string) (model.Response, error) {
	h, ok := r.sys.(Holder)
	if !ok {
		return skipped, nil
	}
	l, err := h.Hold(ctx, name)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.leases[o.Handle] = &held{lease: l, project: o.Project}
	}
	return model.Response{}, err
}

// release searches once through the lease and gives it back.
func (r *Run) release(ctx context.Context, o model.Op) (resp model.Response, err error) {
	h := r.lease(o.Handle)
	if h == nil {
		return skipped, nil // never held, or held by a service that is closed
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.released {
		return model.Response{Again: true}, h.lease.Release(ctx)
	}
	own := model.Op{Kind: model.KindSearch, Project: h.project}
	resp.Matches, err = h.lease.Search(ctx, SearchRequest{Query: own.QueryText(h.project)})
	if e := h.lease.Release(ctx); err == nil {
		err = e
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h.released = true
	return resp, err
}

// releaseAll gives back what is still held, before the service is closed.
func (r *Run) releaseAll(ctx context.Context) error {
	for _, n := range r.Held() {
		if err := r.lease(n).lease.Release(ctx); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.leases)
	return nil
}
