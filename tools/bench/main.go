package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
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
	if upstream := os.Getenv(proxyEnv); upstream != "" {
		fmt.Fprintln(os.Stderr, playProxy(upstream))
		os.Exit(1)
	}
	rounds := flag.Int("rounds", 7, "rounds to take medians of, 1 to 50")
	kit := flag.Bool("stepup", false, "measure package stepup in an application, and nothing else")
	gate := flag.Bool("gate", false, "measure the gate, and nothing else")
	sizes := flag.String("growth", "", "measure with so many users, such as 1000,100000, and nothing else")
	crowded := flag.Bool("crowd", false, "measure many sessions that refresh, sign-ins beside them, and ends of all, and nothing else")
	database := flag.String("database", "", "SQLite or PostgreSQL alone, with -growth, -crowd or the service")
	operation := flag.String("operation", "", "of the service, measure the operations alone whose names contain this, and no starts")
	document := flag.String("report", "", "replace the generated parts of this document, and plots in the folder images beside it")
	only := flag.String("only", "", "with -report: measure these parts and leave the others, such as service,gate,stepup")
	flag.Parse()
	*rounds = min(max(*rounds, 1), 50)
	measure, limit := printed(part{*database, *operation}.measure), sectionLimit
	switch {
	case *document != "":
		limit = sectionLimit * time.Duration(len(sections))
		measure = func(ctx context.Context, rounds int) error {
			return writeReport(ctx, *document, *only, rounds, time.Now())
		}
	case *kit:
		measure = printed(measureKit)
	case *gate:
		measure = printed(measureGate)
	case *crowded:
		measure = func(ctx context.Context, _ int) error { return measureCrowd(ctx, os.Stdout, *database) }
	case *sizes != "":
		limit = time.Hour
		measure = func(ctx context.Context, rounds int) error {
			sizes, err := parseSizes(*sizes)
			if err != nil {
				return err
			}
			return measureGrowth(ctx, os.Stdout, *database, sizes, rounds)
		}
	}
	if err := bounded(limit, *rounds, measure); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sectionLimit is how long the measurement of one section may take.
const sectionLimit = 20 * time.Minute

// printed prints the text of what a measurement finds.
func printed(measure func(context.Context, int) (findings, error)) func(context.Context, int) error {
	return func(ctx context.Context, rounds int) error {
		found, err := measure(ctx, rounds)
		if err != nil {
			return err
		}
		_, err = fmt.Print(found.text)
		return err
	}
}

// bounded measures until it is done, interrupted, or as old as limit.
func bounded(limit time.Duration, rounds int, measure func(context.Context, int) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return measure(ctx, rounds)
}
