package history

// Wait is a stretch of the gate's steps during which an operation that had begun could not go on: it stood
// at no point that it could have been let go on from.
type Wait struct {
	Op   int  `json:"op"`
	Lock bool `json:"lock,omitempty"` // for a lock in PostgreSQL; else for something inside the service
	From int  `json:"from"`           // how many steps had been taken when it was first seen to wait,
	To   int  `json:"to"`             // and when it was first seen not to
}
