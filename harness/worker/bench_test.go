package worker

import "testing"

// What a case costs beside itself.
func BenchmarkCase(b *testing.B) {
	w, err := Start(b.Context(), fakeOptions())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	for id := 0; b.Loop(); id++ {
		if _, d, err := w.Run(b.Context(), Case{ID: id, Program: "good"}); d != nil || err != nil {
			b.Fatal(d, err)
		}
	}
}

// What a worker costs that has to be replaced.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		w, err := Start(b.Context(), fakeOptions())
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
