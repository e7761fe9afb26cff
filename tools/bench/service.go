package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stepkey/stepkey/internal/pgtest"
)

// part is what of the service to measure. The zero value is all of it.
type part struct {
	database  string // this one alone
	operation string // those alone whose names contain this, and no starts
}

// has reports whether an operation belongs to the part.
func (p part) has(operation string) bool { return strings.Contains(operation, p.operation) }

// measure measures operations and starts of the service with every setup of the part.
func (p part) measure(ctx context.Context, rounds int) (findings, error) {
	dir, err := os.MkdirTemp("", "stepkey-bench-")
	if err != nil {
		return findings{}, err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(os.Stderr, "building")
	binary, err := build(ctx, dir)
	if err != nil {
		return findings{}, err
	}
	postgres, err := pgtest.Start(ctx, pgtest.Options{Durable: true})
	if err != nil {
		return findings{}, err
	}
	defer postgres.Stop()
	version, err := versionOf(ctx, postgres)
	if err != nil {
		return findings{}, err
	}

	var costs []cost
	var comings []start
	for _, s := range setups(postgres) {
		if p.database != "" && p.database != s.database {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s, %s\n", s.database, s.tokens)
		c, most, err := s.measureCosts(ctx, binary, dir, rounds, p)
		if err != nil {
			return findings{}, fmt.Errorf("%s, %s: %w", s.database, s.tokens, err)
		}
		costs = append(costs, c...)
		if p.operation != "" {
			continue
		}
		st, err := s.measureStart(ctx, binary, dir)
		if err != nil {
			return findings{}, fmt.Errorf("%s, %s: %w", s.database, s.tokens, err)
		}
		st.most = most
		comings = append(comings, st)
	}
	if len(costs) == 0 {
		return findings{}, fmt.Errorf("nothing to measure: no operation contains %q with the database %q", p.operation, p.database)
	}
	return findings{
		text: report(costs, comings, rounds), postgres: version,
		plots: append(servicePlots(costs), originalPlot(costs, comings)),
	}, nil
}

// versionOf asks PostgreSQL for its version.
func versionOf(ctx context.Context, postgres *pgtest.Server) (version string, err error) {
	address, err := postgres.CreateDatabase(ctx, "bench_version")
	if err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	return version, conn.QueryRow(ctx, `SHOW server_version`).Scan(&version)
}
