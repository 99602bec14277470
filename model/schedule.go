package model

import (
	"fmt"
	"slices"
)

// String returns the intervention as a line of program text, without indentation.
func (i Intervention) String() string {
	if i.Kind == Fault {
		return fmt.Sprintf("fault #%d at message %d %s", i.Op, i.Message, i.Fault)
	}
	return fmt.Sprintf("preempt #%d at message %d to #%d", i.Op, i.Message, i.To)
}

func (p *parser) intervention(a *args) error {
	t, err := a.next("an intervention")
	if err != nil {
		return err
	}
	var in Intervention
	kind, err := a.oneOf(t, "intervention", []string{"preempt", "fault"})
	if err != nil {
		return err
	}
	in.Kind = InterventionKind(kind)
	if in.Op, err = a.number("an operation's id", "#", 1, maxID); err != nil {
		return err
	}
	if err = a.word("at"); err != nil {
		return err
	}
	if err = a.word("message"); err != nil {
		return err
	}
	if in.Message, err = a.number("a message's number", "", 1, 1<<30); err != nil {
		return err
	}
	if in.Kind == Preempt {
		if err = a.word("to"); err != nil {
			return err
		}
		if in.To, err = a.number("an operation's id", "#", 1, maxID); err != nil {
			return err
		}
	} else {
		t, err := a.next("a fault")
		if err != nil {
			return err
		}
		if !slices.Contains(Faults, t.text) {
			_, err := a.oneOf(t, "fault", Faults)
			return err
		}
		in.Fault = t.text
	}
	p.prog.Schedule = append(p.prog.Schedule, in)
	p.interventions = append(p.interventions, place{a.line, t.column})
	return a.finish("preempt #n at message k to #m, or fault #n at message k " + Faults[0])
}
