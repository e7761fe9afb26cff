package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/stepkey/stepkey/internal/pgtest"
)

func main() {
	if os.Getenv(bareEnv) != "" {
		playBare()
		return
	}
	if os.Getenv(shopEnv) != "" {
		playShop()
		return
	}
	rounds := flag.Int("rounds", 7, "rounds to take medians of, 1 to 50")
	kit := flag.Bool("stepup", false, "measure package stepup in an application, and nothing else")
	flag.Parse()
	measure := run
	if *kit {
		measure = func(ctx context.Context, rounds int) error { return measureKit(ctx, os.Stdout, rounds) }
	}
	if err := bounded(min(max(*rounds, 1), 50), measure); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bounded measures until it is done, interrupted, or 20 minutes old.
func bounded(rounds int, measure func(context.Context, int) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	return measure(ctx, rounds)
}

// run measures everything and prints the report.
func run(ctx context.Context, rounds int) error {
	dir, err := os.MkdirTemp("", "stepkey-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(os.Stderr, "building")
	binary, err := build(ctx, dir)
	if err != nil {
		return err
	}
	postgres, err := pgtest.Start(ctx, pgtest.Options{Durable: true})
	if err != nil {
		return err
	}
	defer postgres.Stop()

	var costs []cost
	var comings []start
	for _, s := range setups(postgres) {
		fmt.Fprintf(os.Stderr, "measuring %s, %s\n", s.database, s.tokens)
		c, err := s.measureCosts(ctx, binary, dir, rounds)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", s.database, s.tokens, err)
		}
		costs = append(costs, c...)
		st, err := s.measureStart(ctx, binary, dir)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", s.database, s.tokens, err)
		}
		comings = append(comings, st)
	}
	return report(os.Stdout, costs, comings, rounds)
}
