package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantstorm/tenantstorm/harness/pgwire"
)

const (
	messagesMemoryBar = 30 // µs added to a message in memory
	messagesTCPBar    = 90 // and over TCP
	messageQueries    = 3000
)

// open is a keeper that lets everything go at once.
type open struct{}

func (open) Opened(context.Context, *pgwire.Link) {}
func (open) Offered(*pgwire.Batch) bool           { return true }
func (open) Withdrawn(*pgwire.Batch)              {}
func (open) Busy(*pgwire.Link)                    {}
func (open) Idle(*pgwire.Link)                    {}
func (open) Held(*pgwire.Link)                    {}
func (open) Failed(*pgwire.Link, error)           {}

// way is how a client comes to the server.
type way struct {
	name string
	bar  float64 // µs that it may add; 0: it is what the others are compared with
	dial pgconn.DialFunc
}

// messages measures what the front adds to a message.
func (l *lab) messages(ctx context.Context) (s section, err error) {
	config, err := pgx.ParseConfig(l.server.DSN())
	if err != nil {
		return s, err
	}
	warm := pgwire.NewWarm(nil, 2)
	front := pgwire.NewFront(warm.Dial, open{})
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	listener, err := pgwire.Listen(ctx, front, pgwire.ListenOptions{Address: "localhost:0", Network: network, Server: address})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, listener.Close(), front.Close(), warm.Close()) }()
	ways := []way{
		{name: "direct", dial: (&net.Dialer{}).DialContext},
		{name: "through the front, in memory", bar: messagesMemoryBar, dial: front.Dial},
		{name: "through the front, over TCP", bar: messagesTCPBar, dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String())
		}},
	}
	s.title = "A message through the open gate"
	s.text = fmt.Sprintf("SELECT 1, one round trip; by turns, each round the median of %d. Direct is over %s.", messageQueries, network)
	s.table.row("protocol", "way", "µs", "min – max", "added µs", "min – max")
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
		took, err := l.ask(ctx, config, mode, ways)
		if err != nil {
			return s, err
		}
		for i, w := range ways {
			var added sample
			for j := range took[i] {
				added.add(took[i][j] - took[0][j])
			}
			s.table.row(mode.String(), w.name, number(took[i].median()), took[i].span(), number(added.median()), added.span())
			if w.bar > 0 {
				s.bar(fmt.Sprintf("%s, %s: at most %v µs added", mode, w.name, w.bar), added.median() <= w.bar)
			}
		}
	}
	return s, nil
}

// ask returns, for each way, how many µs a query took, a round's median each.
func (l *lab) ask(ctx context.Context, config *pgx.ConnConfig, mode pgx.QueryExecMode, ways []way) ([]sample, error) {
	conns := make([]*pgx.Conn, len(ways))
	for i, w := range ways {
		c := config.Copy()
		c.DialFunc, c.DefaultQueryExecMode = w.dial, mode
		conn, err := pgx.ConnectConfig(ctx, c)
		if err != nil {
			return nil, err
		}
		defer func() { _ = down(ctx, conn.Close) }()
		conns[i] = conn
	}
	took := make([]sample, len(ways))
	for range l.rounds {
		rounds := make([]sample, len(ways))
		for range messageQueries {
			for i, conn := range conns {
				began := time.Now()
				var n int
				if err := conn.QueryRow(ctx, "SELECT 1").Scan(&n); err != nil {
					return nil, err
				}
				rounds[i].add(float64(time.Since(began)) / float64(time.Microsecond))
			}
		}
		for i, r := range rounds {
			took[i].add(r.median())
		}
	}
	return took, nil
}
