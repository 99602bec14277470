package worker

import "syscall"

// processAttr puts a worker in a process group of its own, so that an interrupt from the terminal
// reaches the parent alone, and has it killed when the thread that started it dies.
func processAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
