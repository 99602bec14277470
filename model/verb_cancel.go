package model

import "fmt"

// A cancel cancels the context of another operation: one that is still to come begins with a cancelled
// context, one under way is interrupted, one that is over is not disturbed.
var verbCancel = verb{
	kind: KindCancel, name: "cancel", usage: "#2", weight: 3,
	format: func(o Op) string { return fmt.Sprintf("#%d", o.Target) },
	parse: func(a *args, o *Op) (err error) {
		o.Target, err = a.number("an operation's id", "#", 1, maxID)
		return err
	},
	draw: func(d *drawer, o *Op) bool {
		// The next operation, the one after it, or the one before, which is over already.
		switch d.src.Int("cancel", 0, 2) {
		case 0:
			o.Target = o.ID + 1
		case 1:
			o.Target = o.ID + 2
		default:
			o.Target = o.ID - 1
		}
		return o.Target >= 1
	},
	step: func(*State, Op, Response) *Mismatch { return nil },
}
