#1 index p0 rev=1 files=1 (session 0): panicked: boom
That is wrong: #1 index p0: panic: boom
