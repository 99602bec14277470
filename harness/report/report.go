// Package report makes of a finding what people read: the report of a bug, a picture, and a test. All of it
// is made from the repro, which holds nothing of the machine it was made on.
package report

import (
	"github.com/tenantstorm/tenantstorm/harness/history"
	"github.com/tenantstorm/tenantstorm/harness/repro"
)

// Save writes a finding as a folder of this name into dir, in place of one of an earlier finding, and
// returns its path. h is what the repro was made of. page is a page of HTML that draws the violation; empty
// where there is none. Either the whole folder is there afterwards or nothing has changed.
func Save(dir, name string, r repro.Repro, h history.History, page []byte) (string, error) {
	files := []repro.File{
		{Name: repro.BugName, Data: Bug(r, name, len(page) > 0)},
		{Name: repro.TimelineName, Data: Timeline(r, h)},
		{Name: repro.TestName, Data: Test(r)},
	}
	if len(page) > 0 {
		files = append(files, repro.File{Name: repro.PageName, Data: page})
	}
	return repro.SaveFolder(dir, name, r, files)
}
