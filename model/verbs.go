package model

// verb is everything the package knows of one kind of operation.
type verb struct {
	kind     Kind
	name     string
	usage    string // its arguments, for error messages
	format   func(Op) string
	parse    func(*args, *Op) error
	draw     func(*drawer, *Op) bool // false: not possible now
	step     func(*State, Op, Response) *Mismatch
	simpler  func(Op) []Op
	weight   int  // how often it is drawn, of all weights
	optional bool // needs a capability that not every service has
}

// verbs in canonical order; their index is their kind.
func verbs() [kindEnd]*verb {
	return [kindEnd]*verb{
		KindSearch: &verbSearch, KindSwitch: &verbSwitch, KindIndex: &verbIndex,
		KindHold: &verbHold, KindRelease: &verbRelease, KindStats: &verbStats,
		KindDrop: &verbDrop, KindRestart: &verbRestart, KindCancel: &verbCancel,
	}
}

func verbOf(k Kind) *verb {
	if k == KindUnset || k >= kindEnd {
		return nil
	}
	return verbs()[k]
}

func verbNamed(name string) *verb {
	for _, v := range verbs() {
		if v != nil && v.name == name {
			return v
		}
	}
	return nil
}
