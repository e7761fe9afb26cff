package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/stepkey/stepkey/internal/pgtest"
)

const (
	people       = 4     // users, each with one connection, that load the service at the same time
	guardedCalls = 10000 // requests in a round of a guarded route
	stepUps      = 1000  // step-ups in a round
	refreshes    = 1000  // refreshes in a round
	logins       = 20    // password logins in a round, one at a time
	starts       = 3     // starts of the service for each setup

	introspections = 2000 // questions about a token in a round
)

// setup is one way to run the service.
type setup struct {
	database string // as the report names it
	tokens   string
	settings []string                                              // NAME=value for the service
	newStore func(ctx context.Context, dir string) (string, error) // returns a DATABASE_URL without data
}

// setups returns every combination of database and tokens.
func setups(postgres *pgtest.Server) []setup {
	databases := 0
	newPostgres := func(ctx context.Context, _ string) (string, error) {
		databases++
		return postgres.CreateDatabase(ctx, fmt.Sprintf("bench_%d", databases))
	}
	newSQLite := func(_ context.Context, dir string) (string, error) {
		return "sqlite:" + filepath.Join(dir, "stepkey.db"), nil
	}
	shared := []string{"JWT_SECRET=a-shared-secret-of-more-than-32-bytes-for-the-benchmark"}
	return []setup{
		{"SQLite", "HS256", shared, newSQLite},
		{"SQLite", "ES256", nil, newSQLite},
		{"PostgreSQL", "HS256", shared, newPostgres},
		{"PostgreSQL", "ES256", nil, newPostgres},
	}
}

// prepare makes a new data folder below dir and returns the settings for an
// instance on it and on a new database.
func (s setup) prepare(ctx context.Context, dir string) ([]string, error) {
	data, err := os.MkdirTemp(dir, "data-")
	if err != nil {
		return nil, err
	}
	address, err := s.newStore(ctx, data)
	if err != nil {
		return nil, err
	}
	return append([]string{"STEPKEY_DATA=" + data, "DATABASE_URL=" + address}, s.settings...), nil
}

// cost is one row of the report.
type cost struct {
	setup     setup
	operation string
	sample
	small []time.Duration // of a small request in the same rounds, or none
}

// besideSmall returns ours as a multiple of a small request.
func (c cost) besideSmall() []float64 { return sample{ours: c.ours, bare: c.small}.ratios() }

// measureCosts starts the service and compares each operation of the part with its bare
// counterpart. It also returns the most memory that the service had, in bytes.
func (s setup) measureCosts(ctx context.Context, binary, dir string, rounds int, p part) ([]cost, int, error) {
	settings, err := s.prepare(ctx, dir)
	if err != nil {
		return nil, 0, err
	}
	ours, _, err := startStepkey(ctx, binary, dir, append(settings, "STEPKEY_INTROSPECTION_SECRET="+introspectionSecret)...)
	if err != nil {
		return nil, 0, err
	}
	defer ours.stop()
	var loaders []*person
	for i := range people {
		p, err := newPerson(ctx, ours.url, fmt.Sprintf("person%d", i))
		if err != nil {
			return nil, 0, err
		}
		loaders = append(loaders, p)
	}
	recorded, step, err := record(ctx, loaders[0])
	if err != nil {
		return nil, 0, err
	}
	bare, err := startBare(ctx, recorded)
	if err != nil {
		return nil, 0, err
	}
	defer bare.stop()
	var guardedBy *server
	if s.tokens == "ES256" { // those that others than the issuer can verify
		i, err := issuerOf(ours.url, loaders[0].full)
		if err != nil {
			return nil, 0, err
		}
		if guardedBy, err = startGuarded(ctx, recorded, i); err != nil {
			return nil, 0, err
		}
		defer guardedBy.stop()
		if _, err := send(ctx, oneConnection(), guardedBy.url, "", "GET", "/users/histories", nil); err == nil {
			return nil, 0, errors.New("the guarded application lets a request without a token pass")
		}
	}

	var costs []cost
	for _, o := range operations(loaders, bare, guardedBy, step) {
		if !p.has(o.name) {
			continue
		}
		o.ours.pid, o.bare.pid, o.small.pid = ours.pid(), bare.pid(), bare.pid()
		if o.server != nil {
			o.ours.pid = o.server.pid()
		}
		loads := []load{o.ours, o.bare}
		if o.small.n > 0 {
			loads = append(loads, o.small)
		}
		took, err := inTurns(ctx, rounds, loads...)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", o.name, err)
		}
		c := cost{setup: s, operation: o.name, sample: sample{ours: took[0], bare: took[1]}}
		if o.small.n > 0 {
			c.small = took[2]
		}
		costs = append(costs, c)
	}
	held, err := memoryOf(ours.pid())
	return costs, held.most, err
}

// record returns what the service answers to the requests that will be measured.
func record(ctx context.Context, p *person) (answers, exchange, error) {
	recorded := make(answers)
	for _, path := range []string{"/users/histories", "/users/profile"} {
		a, err := p.call(ctx, p.full, "GET", path, nil)
		if err != nil {
			return nil, exchange{}, err
		}
		recorded["GET "+path] = a
	}
	step, err := p.stepUp(ctx)
	if err != nil {
		return nil, exchange{}, err
	}
	renewed, err := p.refresh(ctx)
	if err != nil {
		return nil, exchange{}, err
	}
	recorded["POST /auth/refresh"] = renewed
	login, err := p.logIn(ctx)
	if err != nil {
		return nil, exchange{}, err
	}
	login.Hash = true
	recorded["POST /auth/login"] = login
	introspection, err := p.introspect(ctx)
	if err != nil {
		return nil, exchange{}, err
	}
	recorded["POST /auth/introspect"] = introspection
	recorded["GET "+smallPath] = answer{Status: http.StatusNoContent}
	recorded["GET /passkeys/authenticate/options"] = step.options
	recorded["POST /passkeys/authenticate/verify"] = step.verified
	return recorded, step, nil
}

// start is how the service comes up.
type start struct {
	setup    setup
	first    spread[time.Duration] // with an empty database and data folder
	again    spread[time.Duration] // with what the first start made
	resident spread[int]           // bytes, 2 s after the first start
	own      spread[int]           // of them, those that are not pages of the binary
	most     int                   // bytes resident while operations were measured
}

// measureStart starts the service several times, each time on a new database.
func (s setup) measureStart(ctx context.Context, binary, dir string) (start, error) {
	var first, again []time.Duration
	var resident, own []int
	for range starts {
		settings, err := s.prepare(ctx, dir)
		if err != nil {
			return start{}, err
		}
		took, held, err := startOnce(ctx, binary, dir, 2*time.Second, settings)
		if err != nil {
			return start{}, err
		}
		first, resident, own = append(first, took), append(resident, held.resident), append(own, held.own)
		took, _, err = startOnce(ctx, binary, dir, 0, settings)
		if err != nil {
			return start{}, err
		}
		again = append(again, took)
	}
	return start{setup: s, first: spreadOf(first), again: spreadOf(again), resident: spreadOf(resident), own: spreadOf(own)}, nil
}

// startOnce starts the service, leaves it idle for a while and stops it. It
// returns how long the start took and the memory in the end.
func startOnce(ctx context.Context, binary, dir string, idle time.Duration, settings []string) (time.Duration, memory, error) {
	ours, took, err := startStepkey(ctx, binary, dir, settings...)
	if err != nil {
		return 0, memory{}, err
	}
	defer ours.stop()
	time.Sleep(idle)
	held, err := memoryOf(ours.pid())
	return took, held, err
}
