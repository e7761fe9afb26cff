package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stepkey/stepkey/internal/pgtest"
)

const (
	introspectionSecret = "the secret of a service that introspects tokens"

	visitorsEach = 40 // users who come in a round, for each of the connections
	guardedEach  = 25 // requests of each to a guarded route
)

// parseSizes reads numbers of users, the smallest first.
func parseSizes(list string) (sizes []int, err error) {
	for _, text := range strings.Split(list, ",") {
		size, err := strconv.Atoi(text)
		if err != nil || size < people*visitorsEach || size > 10_000_000 {
			return nil, fmt.Errorf("-growth: %q is no number of users from %d to 10000000", text, people*visitorsEach)
		}
		sizes = append(sizes, size)
	}
	slices.Sort(sizes)
	return slices.Compact(sizes), nil
}

// town is a service with a population.
type town struct {
	size     int
	settings []string
	url      string // DATABASE_URL
	service  *server
	template *template
	tables   map[string]tableSize
	filled   time.Duration
	visitors [][]*visitor // of each connection
}

// measureGrowth measures each operation on databases of each size, in turns: on both kinds, or only on one.
func measureGrowth(ctx context.Context, out io.Writer, only string, sizes []int, rounds int) error {
	dir, err := os.MkdirTemp("", "stepkey-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	progress("building")
	binary, err := build(ctx, dir)
	if err != nil {
		return err
	}
	postgres, err := pgtest.Start(ctx, pgtest.Options{Durable: true})
	if err != nil {
		return err
	}
	defer postgres.Stop()
	for _, s := range setups(postgres) {
		if s.tokens != "ES256" || only != "" && s.database != only {
			continue // tokens do not depend on the number of users
		}
		growth, err := s.measureGrowth(ctx, binary, dir, sizes, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", s.database, err)
		}
		if err := growth.report(out); err != nil {
			return err
		}
	}
	return nil
}

func progress(text string) { fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), text) }

// growth is what one kind of database costs with each size.
type growth struct {
	database string
	rounds   int
	towns    []*town
	costs    []growthCost
}

// growthCost is what one operation costs: for each size, the times of all calls, and for each round the CPU
// time of one call in the service, and in PostgreSQL.
type growthCost struct {
	operation          string
	took               [][]time.Duration
	service, databases [][]time.Duration
}

func (s setup) measureGrowth(ctx context.Context, binary, dir string, sizes []int, rounds int) (*growth, error) {
	g := &growth{database: s.database, rounds: rounds}
	for _, size := range sizes {
		t, err := s.found(ctx, binary, dir, size)
		if err != nil {
			return nil, fmt.Errorf("%d users: %w", size, err)
		}
		if err := t.open(ctx, binary, dir); err != nil {
			return nil, err
		}
		defer t.service.stop()
		g.towns = append(g.towns, t)
	}
	for _, v := range visits {
		g.costs = append(g.costs, growthCost{
			operation: v.name, took: make([][]time.Duration, len(sizes)),
			service: make([][]time.Duration, len(sizes)), databases: make([][]time.Duration, len(sizes)),
		})
	}
	for round := range rounds + 1 {
		progress(fmt.Sprintf("%s, round %d of %d", s.database, round, rounds))
		for _, t := range g.towns {
			t.invite(round)
		}
		for i, v := range visits {
			for n, t := range g.towns {
				m, err := t.measure(ctx, v)
				if err != nil {
					return nil, fmt.Errorf("%s, %d users: %w", v.name, t.size, err)
				}
				if round == 0 {
					continue // to warm up
				}
				c := &g.costs[i]
				c.took[n], c.service[n], c.databases[n] = append(c.took[n], m.took...), append(c.service[n], m.service), append(c.databases[n], m.database)
			}
		}
	}
	return g, nil
}

// found starts a service, lets it write one user, stops it and adds the others.
func (s setup) found(ctx context.Context, binary, dir string, size int) (*town, error) {
	settings, err := s.prepare(ctx, dir)
	if err != nil {
		return nil, err
	}
	settings = append(settings, "STEPKEY_INTROSPECTION_SECRET="+introspectionSecret)
	t := &town{size: size, settings: settings, url: strings.TrimPrefix(settings[1], "DATABASE_URL=")}
	first, _, err := startStepkey(ctx, binary, dir, settings...)
	if err != nil {
		return nil, err
	}
	device, err := newTemplateUser(ctx, first.url)
	first.stop()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	db, err := openBulk(ctx, t.url)
	if err != nil {
		return nil, err
	}
	defer db.close()
	if t.template, err = readTemplate(ctx, db, device); err != nil {
		return nil, err
	}
	err = t.template.fill(ctx, db, size, func(step string) { progress(fmt.Sprintf("%s, %d users: %s", s.database, size, step)) })
	if err != nil {
		return nil, err
	}
	t.filled, t.tables = time.Since(began), make(map[string]tableSize)
	for _, table := range populationTables {
		if t.tables[table], err = db.size(ctx, table); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// open starts the service again.
func (t *town) open(ctx context.Context, binary, dir string) (err error) {
	t.service, _, err = startStepkey(ctx, binary, dir, t.settings...)
	return err
}

// invite draws the users who come in a round. The round decides who they are.
func (t *town) invite(round int) {
	random := rand.New(rand.NewPCG(uint64(t.size), uint64(round)))
	t.visitors = nil
	invited := make(map[int]bool) // nobody twice, because passkeys count their uses
	for range people {
		client := oneConnection()
		var visitors []*visitor
		for len(visitors) < visitorsEach {
			number := 1 + random.IntN(t.size)
			if invited[number] {
				continue
			}
			invited[number] = true
			visitors = append(visitors, &visitor{town: t, client: client, number: number})
		}
		t.visitors = append(t.visitors, visitors)
	}
}

// measured is what one round of an operation took.
type measured struct {
	took              []time.Duration
	service, database time.Duration // CPU time for one call
}

// measure lets the visitors do v once each, those of each connection one after the other.
func (t *town) measure(ctx context.Context, v visit) (measured, error) {
	took := make([][]time.Duration, people)
	workers := people
	if v.alone {
		workers = 1
	}
	ours := load{pid: t.service.pid(), n: workers, workers: workers, do: func(ctx context.Context, worker int) error {
		visitors := t.visitors[worker]
		for _, one := range visitors[:min(cmp.Or(v.visitors, visitorsEach), len(visitors))] {
			for range cmp.Or(v.times, 1) {
				began := time.Now()
				if err := v.do(ctx, one); err != nil {
					return fmt.Errorf("user %d: %w", one.number, err)
				}
				took[worker] = append(took[worker], time.Since(began))
			}
		}
		return nil
	}}
	before, err := t.databaseTime(ctx)
	if err != nil {
		return measured{}, err
	}
	used, err := ours.run(ctx, 1)
	if err != nil {
		return measured{}, err
	}
	after, err := t.databaseTime(ctx)
	if err != nil {
		return measured{}, err
	}
	m := measured{took: slices.Concat(took...)}
	calls := time.Duration(len(m.took))
	m.service, m.database = used/calls, (after-before)/calls
	return m, nil
}

// databaseTime is the CPU time of PostgreSQL's processes that serve this service.
func (t *town) databaseTime(ctx context.Context) (total time.Duration, err error) {
	if strings.HasPrefix(t.url, "sqlite:") {
		return 0, nil
	}
	conn, err := pgx.Connect(ctx, t.url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT pid FROM pg_stat_activity WHERE application_name = 'stepkey' AND datname = current_database()`)
	if err != nil {
		return 0, err
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		used, err := cpuTime(pid)
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}
