package model

// ParsePoint reads a point as [Point.String] writes it, such as "#3 at message 2". An error is a
// *SyntaxError in line 1.
func ParsePoint(text string) (Point, error) {
	a := &args{line: 1, end: len(text) + 1, rest: tokens(text)}
	at, err := a.point()
	if err != nil {
		return Point{}, err
	}
	return at, a.finish("#n at start|message k|connect k|acquire k|release k|cancel-request k|code site k")
}
