package model

// Status is how an operation ended. The zero value is unset and never passes.
type Status uint8

// The statuses.
const (
	StatusUnset    Status = iota
	StatusOK              // it answered
	StatusError           // it answered with an error
	StatusUnknown         // it may or may not have happened: the reply was lost, or its context was cancelled
	StatusPanicked        // the service panicked
	StatusHung            // no answer within the deadline
	StatusSkipped         // not sent: the service lacks the capability, or there was nothing to act on
)

var statuses = []string{"unset", "ok", "error", "unknown", "panicked", "hung", "skipped"}

func (s Status) String() string {
	if int(s) < len(statuses) {
		return statuses[s]
	}
	return "unset"
}

// ErrorKind classes the errors a service may give. It is what the oracle judges; the text is for people
// and for the isolation check.
type ErrorKind string

// The kinds of error.
const (
	NoError            ErrorKind = ""
	ErrNoActiveProject ErrorKind = "no-active-project"
	ErrUnknownProject  ErrorKind = "unknown-project"
	ErrInUse           ErrorKind = "in-use"
	ErrBadName         ErrorKind = "bad-name"
	ErrBadLimit        ErrorKind = "bad-limit"
	ErrEmptyQuery      ErrorKind = "empty-query"
	ErrCancelled       ErrorKind = "cancelled"
	ErrDeadline        ErrorKind = "deadline"
	ErrClosed          ErrorKind = "closed"
	ErrOther           ErrorKind = "other"
)

// Match is one result of a search.
type Match struct {
	Path      string  `json:"path"`
	StartLine int     `json:"start_line"`
	EndLine   int     `json:"end_line"`
	Content   string  `json:"content"`
	Score     float64 `json:"score"`
}

// PoolStats is what a service says about one resident pool.
type PoolStats struct {
	Project string `json:"project"`
	Size    int    `json:"size"`
	Idle    int    `json:"idle"`
	InUse   int    `json:"in_use"`
}

// Stats is what a service says about its pools. Pools stand in LRU order, most recently used first.
type Stats struct {
	ActivePools int         `json:"active_pools"`
	MaxProjects int         `json:"max_projects"`
	CacheHits   int64       `json:"cache_hits"`
	CacheMisses int64       `json:"cache_misses"`
	Creations   int64       `json:"creations"`
	Evictions   int64       `json:"evictions"`
	Drops       int64       `json:"drops"`
	Draining    int         `json:"draining"`
	Pools       []PoolStats `json:"pools"`
}

// Response is what came back of an operation.
type Response struct {
	Status  Status    `json:"status"`
	Error   ErrorKind `json:"error,omitempty"`
	Text    string    `json:"text,omitempty"`    // the error's text, or the panic's value and stack
	Matches []Match   `json:"matches,omitempty"` // search, and release (the search through the lease)
	Stats   *Stats    `json:"stats,omitempty"`
	Again   bool      `json:"again,omitempty"` // release: the lease had been given back before, nothing was searched
}
