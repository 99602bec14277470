//go:build unix && !linux

package worker

import "syscall"

// processAttr puts a worker in a process group of its own, so that an interrupt from the terminal
// reaches the parent alone. A worker whose parent is killed sees its descriptor close and ends.
func processAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
