// Package bench measures services: how long they take to index and to search, and what they do under the
// load of many tenants at once. It works on any [harness.Target] and a real PostgreSQL.
//
// Whatever is measured is set beside the least that PostgreSQL itself would take for it, in the same run and
// by turns: an index beside a COPY of the rows it wrote, a search beside the statements it sent. These ratios
// say more than seconds do, and can be compared between days and, with care, between machines.
//
// A [Result] is what a benchmark leaves; [Compare] judges one against another, or says that they are too
// noisy to tell. docs/BENCHMARKS.md describes both.
package bench
