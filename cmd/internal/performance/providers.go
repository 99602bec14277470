package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantstorm/tenantstorm/fixtures/postgres"
)

// providers measures how long a server of each provider takes to answer, and to be gone.
func (l *lab) providers(ctx context.Context) (s section, err error) {
	s.title = "PostgreSQL, from nothing"
	s.text = "From Start to the answer of a first query over a connection of its own, and Stop, after which nothing is left. " +
		"The first start, which may have to make the template that the others copy, is given apart."
	s.table.row("provider", "first start, ms", "start to first query, ms", "min – max", "stop, ms", "min – max")
	for _, p := range []postgres.Provider{postgres.NewLocal("", postgres.Options{}), postgres.NewDocker("", postgres.Options{})} {
		if err := p.Available(ctx); err != nil {
			var no *postgres.UnavailableError
			if !errors.As(err, &no) {
				return s, err
			}
			s.table.row(p.Name(), "not available", "–", "–", "–", "–")
			continue
		}
		var first, start, stop sample
		for n := range l.rounds + 1 {
			up, gone, err := startAndStop(ctx, p)
			if err != nil {
				return s, fmt.Errorf("%s: %w", p.Name(), err)
			}
			if n == 0 {
				first.took(up)
				continue
			}
			start.took(up)
			stop.took(gone)
		}
		s.table.row(p.Name(), number(first.median()), number(start.median()), start.span(), number(stop.median()), stop.span())
	}
	return s, nil
}

func startAndStop(ctx context.Context, p postgres.Provider) (up, gone time.Duration, err error) {
	began := time.Now()
	server, err := p.Start(ctx, postgres.Settings{})
	if err != nil {
		return 0, 0, err
	}
	err = ask(ctx, server)
	up = time.Since(began)
	began = time.Now()
	err = errors.Join(err, down(ctx, server.Stop))
	return up, time.Since(began), err
}

func ask(ctx context.Context, server postgres.Server) error {
	conn, err := pgx.Connect(ctx, server.DSN())
	if err != nil {
		return errors.New("the server does not take a connection") // pgx's error may hold the DSN
	}
	var one int
	return errors.Join(conn.QueryRow(ctx, "SELECT 1").Scan(&one), conn.Close(ctx))
}
