#1 index p0 rev=1 files=1 (session 0): ok
#2 index p0 rev=2 files=1 (session 0) begins, sends its 1st message (`BEGIN`), and sends its 2nd message (`SELECT path FROM files`)
#2 is about to send its 3rd message (`INSERT INTO files`); instead, #3 search p0 own (session 1) begins, opens a connection, sends its 1st message (`SELECT '…' FROM chunks`), has its context cancelled as it is about to send its 2nd message, and waits for something inside the service
the service, in the background, sends its 1st message (`ROLLBACK`)
#3, which waited, ends: ok: 1 match: cnry_p001_r001_f000
#2 is about to send its 3rd message (`INSERT INTO files`); instead, #4 drop p0 (session 2) begins, sends its 1st message (`DROP TABLE 'files'`), and waits for a lock in PostgreSQL
#2 sends its 3rd message (`INSERT INTO files`), sends its 4th message (`COMMIT`), and ends: ok
#4, which waited, ends: ok
That is wrong: #3 search p0 own: expected nothing of another project; got "cnry_p001_r001_f000", which belongs to p1
