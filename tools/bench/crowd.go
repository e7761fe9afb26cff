package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/stepkey/stepkey/internal/pgtest"
)

const (
	crowdSessions = 10_000 // sessions that refresh, and end in the end
	crowdSignIns  = 1_000  // people who sign in with a password meanwhile

	refreshRate  = 333 // refreshes a second: all sessions in half a minute
	crowdWorkers = 16  // connections of the sessions
	signInsWork  = 4   // connections of those who sign in; one hash is computed at a time on two CPUs

	// following is how long an instance may take to learn of ended sessions, with a margin: it asks each second.
	following = 3 * time.Second
)

// crowd is what a crowd takes on one kind of database.
type crowd struct {
	database string

	alone, together, signIns []time.Duration // of each request
	signingIn                time.Duration   // from the first sign-in to the last
	memory                   memory          // of the service, after it

	ends *endCost // nil on SQLite, which has one instance
}

// endCost is what it takes to end all sessions of the crowd on one instance while another one follows.
type endCost struct {
	instance, database, follower time.Duration // CPU time for one session
	memory                       int           // bytes more in the follower, for one session
}

// measureCrowd lets a crowd refresh and sign in, and ends its sessions.
func measureCrowd(ctx context.Context, out io.Writer, only string) error {
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
			continue
		}
		c, err := s.measureCrowd(ctx, binary, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", s.database, err)
		}
		if _, err := io.WriteString(out, c.report()); err != nil {
			return err
		}
	}
	return nil
}

func (s setup) measureCrowd(ctx context.Context, binary, dir string) (crowd, error) {
	c := crowd{database: s.database}
	t, err := s.found(ctx, binary, dir, crowdSessions+crowdSignIns)
	if err != nil {
		return c, err
	}
	if err := t.open(ctx, binary, dir); err != nil {
		return c, err
	}
	defer t.service.stop()
	sessions := t.people(1, crowdSessions, crowdWorkers)
	progress(s.database + ": sessions begin")
	if _, err := eachOf(ctx, sessions, 0, signInByPasskey); err != nil {
		return c, err
	}
	progress(s.database + ": sessions refresh alone")
	if c.alone, err = eachOf(ctx, sessions, refreshRate, refresh); err != nil {
		return c, err
	}
	progress(s.database + ": sessions refresh while others sign in")
	if err := c.mix(ctx, sessions, t.people(crowdSessions+1, crowdSignIns, signInsWork)); err != nil {
		return c, err
	}
	if c.memory, err = memoryOf(t.service.pid()); err != nil {
		return c, err
	}
	if strings.HasPrefix(t.url, "sqlite:") {
		return c, nil
	}
	progress(s.database + ": sessions end")
	c.ends, err = t.endAll(ctx, binary, dir, sessions)
	return c, err
}

// mix lets the sessions refresh while the newcomers sign in.
func (c *crowd) mix(ctx context.Context, sessions, newcomers [][]*visitor) error {
	var both sync.WaitGroup
	var refused, rejected error
	both.Go(func() { c.together, refused = eachOf(ctx, sessions, refreshRate, refresh) })
	both.Go(func() {
		began := time.Now()
		c.signIns, rejected = eachOf(ctx, newcomers, 0, signInByPassword)
		c.signingIn = time.Since(began)
	})
	both.Wait()
	return errors.Join(refused, rejected)
}

// people returns n users of a town from the first on, distributed over connections.
func (t *town) people(first, n, connections int) [][]*visitor {
	all := make([][]*visitor, connections)
	for i := range all {
		client := oneConnection()
		for number := first + i; number < first+n; number += connections {
			all[i] = append(all[i], &visitor{town: t, client: client, number: number})
		}
	}
	return all
}

// eachOf has every visitor do something once, each connection one after the other. At a rate, in calls a second
// over all connections, each call has a time at which it is due, however long the ones before took; its own time
// counts from then. The rate 0 is as fast as possible.
func eachOf(ctx context.Context, visitors [][]*visitor, rate int, do func(context.Context, *visitor) error) ([]time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	took := make([][]time.Duration, len(visitors))
	failures := make([]error, len(visitors))
	began := time.Now()
	var workers sync.WaitGroup
	for worker, its := range visitors {
		workers.Go(func() {
			for n, v := range its {
				due := time.Now()
				if rate > 0 {
					due = began.Add(time.Duration(n*len(visitors)+worker) * time.Second / time.Duration(rate))
					time.Sleep(time.Until(due))
				}
				if err := do(ctx, v); err != nil {
					failures[worker] = fmt.Errorf("user %d: %w", v.number, err)
					cancel()
					return
				}
				took[worker] = append(took[worker], time.Since(due))
			}
		})
	}
	workers.Wait()
	var all []time.Duration
	for _, some := range took {
		all = append(all, some...)
	}
	return all, firstCause(failures)
}

// endAll signs all sessions out on the service, while a second instance follows.
func (t *town) endAll(ctx context.Context, binary, dir string, sessions [][]*visitor) (*endCost, error) {
	data, err := os.MkdirTemp(dir, "data-")
	if err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(filepath.Join(strings.TrimPrefix(t.settings[0], "STEPKEY_DATA="), "secret"))
	if err != nil {
		return nil, err
	}
	follower, _, err := startStepkey(ctx, binary, dir, append(t.settings,
		"STEPKEY_DATA="+data, "STEPKEY_SECRET="+strings.TrimSpace(string(secret)), "RP_ORIGIN="+t.service.url)...)
	if err != nil {
		return nil, err
	}
	defer follower.stop()
	witness := sessions[0][0]
	if _, err := send(ctx, witness.client, follower.url, witness.full, "GET", "/users/histories", nil); err != nil {
		return nil, fmt.Errorf("the second instance does not know a session: %w", err)
	}
	before, err := t.spentWith(ctx, follower)
	if err != nil {
		return nil, err
	}
	if _, err := eachOf(ctx, sessions, 0, signOut); err != nil {
		return nil, err
	}
	time.Sleep(following)
	after, err := t.spentWith(ctx, follower)
	if err != nil {
		return nil, err
	}
	if _, err := send(ctx, witness.client, follower.url, witness.full, "GET", "/users/histories", nil); err == nil {
		return nil, errors.New("the second instance does not know that a session has ended")
	}
	return &endCost{
		instance: (after.instance - before.instance) / crowdSessions,
		database: (after.database - before.database) / crowdSessions,
		follower: (after.follower - before.follower) / crowdSessions,
		memory:   (after.memory - before.memory) / crowdSessions,
	}, nil
}

// spent is what the processes have used so far.
type spent struct {
	instance, database, follower time.Duration
	memory                       int // of the follower
}

func (t *town) spentWith(ctx context.Context, follower *server) (s spent, err error) {
	var faults [4]error
	var held memory
	s.instance, faults[0] = cpuTime(t.service.pid())
	s.database, faults[1] = t.databaseTime(ctx)
	s.follower, faults[2] = cpuTime(follower.pid())
	held, faults[3] = memoryOf(follower.pid())
	s.memory = held.resident
	return s, errors.Join(faults[:]...)
}

func signOut(ctx context.Context, v *visitor) error {
	_, err := v.call(ctx, v.full, "POST", "/auth/logout", []byte(`{}`))
	return err
}

// report writes a table in Markdown.
func (c crowd) report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d sessions refresh at %d a second, alone and while %d people sign in with a password over %d connections:\n\n",
		c.database, crowdSessions, refreshRate, crowdSignIns, signInsWork)
	b.WriteString("| | requests | p50 | p99 | longest |\n|---|---:|---:|---:|---:|\n")
	for _, row := range []struct {
		name string
		took []time.Duration
	}{{"refresh, alone", c.alone}, {"refresh, while others sign in", c.together}, {"sign-in", c.signIns}} {
		fmt.Fprintf(&b, "| %s | %d | %.1f ms | %.1f ms | %.1f ms |\n", row.name, len(row.took),
			us(quantile(row.took, 50))/1e3, us(quantile(row.took, 99))/1e3, us(quantile(row.took, 100))/1e3)
	}
	fmt.Fprintf(&b, "\nNone failed. %.0f sign-ins a second; the service has %d MB resident afterwards.\n\n",
		float64(len(c.signIns))/c.signingIn.Seconds(), c.memory.resident/1e6)
	if e := c.ends; e != nil {
		const million, quarter = 1_000_000, 15 * time.Minute
		share := func(each time.Duration) float64 { return 100 * million * each.Seconds() / quarter.Seconds() }
		fmt.Fprintf(&b, "Ending one of these sessions takes %.0f µs of CPU in the instance, %.0f µs in PostgreSQL, and %.1f µs and %d bytes in another "+
			"instance that follows. One million in 15 minutes, computed from that: %.0f, %.0f and %.1f %% of a CPU, and %d MB in each instance.\n\n",
			us(e.instance), us(e.database), us(e.follower), e.memory, share(e.instance), share(e.database), share(e.follower), e.memory*million/1e6)
	}
	return b.String()
}
