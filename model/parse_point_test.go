package model_test

import (
	"errors"
	"testing"

	"github.com/tenantstorm/tenantstorm/model"
)

func TestParsePoint(t *testing.T) {
	for _, at := range []model.Point{
		{Op: 1, Kind: model.AtStart, Nth: 1}, {Op: 12, Kind: model.AtMessage, Nth: 3}, {Op: 2, Kind: model.AtCancel, Nth: 1},
		{Op: 3, Kind: model.AtCode, Nth: 2, Site: "codesearch.(*pools).release:after-unlock:1"},
	} {
		if got, err := model.ParsePoint(at.String()); err != nil || got != at {
			t.Errorf("%s: %s, %v", at, got, err)
		}
	}
	for text, column := range map[string]int{"": 1, "#0 at start": 1, "#1": 3, "#1 at nowhere": 7, "#1 at message": 14, "#1 at message 2 more": 17} {
		var syntax *model.SyntaxError
		if got, err := model.ParsePoint(text); !errors.As(err, &syntax) || syntax.Column != column {
			t.Errorf("%q: %s, %v, want column %d", text, got, err, column)
		}
	}
}

func FuzzParsePoint(f *testing.F) {
	f.Add("#1 at start")
	f.Add("#3 at message 2")
	f.Add("#3 at code codesearch.f:lock:1 2")
	f.Fuzz(func(t *testing.T, text string) {
		at, err := model.ParsePoint(text)
		if err != nil {
			var syntax *model.SyntaxError
			if !errors.As(err, &syntax) || syntax.Line != 1 || syntax.Column < 1 || syntax.Column > len(text)+1 {
				t.Fatalf("%v of %T", err, err)
			}
			return
		}
		if again, err := model.ParsePoint(at.String()); err != nil || again != at {
			t.Fatalf("%s came back as %s, %v", at, again, err)
		}
	})
}
