package model

import "fmt"

// expectOK says how r is not a success.
func expectOK(r Response) *Mismatch {
	if r.Status == StatusOK || r.Status == StatusUnknown {
		return nil
	}
	return &Mismatch{"errors", "unexplained-" + string(r.Error), "success", fmt.Sprintf("an error (%s): %s", r.Error, r.Text)}
}

// expectError says how r is not the error that the operation must give.
func expectError(r Response, kind ErrorKind) *Mismatch {
	want := fmt.Sprintf("an error (%s)", kind)
	switch {
	case r.Status == StatusUnknown || r.Status == StatusError && r.Error == kind:
		return nil
	case r.Status == StatusOK:
		return &Mismatch{"errors", "missing-" + string(kind), want, "success"}
	}
	return &Mismatch{"errors", "unexplained-" + string(r.Error), want, fmt.Sprintf("another (%s): %s", r.Error, r.Text)}
}

// target returns the one project the operation is about. It returns done where there is nothing more
// to do: no project is active (the response must say so), or it is not certain which one is.
func (s *State) target(o Op, r Response) (project int, done bool, m *Mismatch) {
	ps := s.projects(o)
	if len(ps) > 1 {
		return Active, true, nil
	}
	if ps[0] == Active {
		return Active, true, expectError(r, ErrNoActiveProject)
	}
	return ps[0], false, nil
}
