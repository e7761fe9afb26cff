package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// kitCost is one row of the report about package stepup.
type kitCost struct {
	operation, database, yardstick string
	goal                           goal
	sample
}

// measureKit measures package stepup in an application, on both databases.
func measureKit(ctx context.Context, rounds int) (findings, error) {
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
	var costs []kitCost
	for _, s := range setups(postgres) {
		if s.tokens != "ES256" {
			continue // a Kit makes no tokens
		}
		fmt.Fprintf(os.Stderr, "measuring stepup, %s\n", s.database)
		more, err := s.measureShop(ctx, binary, dir, rounds)
		if err != nil {
			return findings{}, fmt.Errorf("%s: %w", s.database, err)
		}
		costs = append(costs, more...)
	}
	return findings{text: reportKit(costs, rounds), plots: []plot{kitPlot(costs)}, postgres: version}, nil
}

func (s setup) measureShop(ctx context.Context, binary, dir string, rounds int) ([]kitCost, error) {
	shop, err := s.startShop(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer shop.stop()
	var customers []*customer
	for i := range people {
		c, err := newCustomer(ctx, shop.url, i)
		if err != nil {
			return nil, err
		}
		customers = append(customers, c)
	}
	settings, err := s.prepare(ctx, dir)
	if err != nil {
		return nil, err
	}
	service, _, err := startStepkey(ctx, binary, dir, settings...)
	if err != nil {
		return nil, err
	}
	defer service.stop()
	var persons []*person
	for i := range people {
		p, err := newPerson(ctx, service.url, fmt.Sprintf("person%d", i))
		if err != nil {
			return nil, err
		}
		persons = append(persons, p)
	}

	get := func(path string) load {
		return load{pid: shop.pid(), n: guardedCalls, workers: people, do: func(ctx context.Context, worker int) error {
			_, err := customers[worker].call(ctx, "GET", path, nil)
			return err
		}}
	}
	var costs []kitCost
	for _, o := range []struct {
		name, yardstick string
		goal            goal
		ours, bare      load
	}{
		{"page behind Require", "the page and one more indexed read", goal{most: 1.3}, get(pathGuarded), get(pathRead)},
		{"page behind Require, Staleness 2 s", "the page", goal{most: 1.1}, get(pathRemembered), get(pathPlain)},
		{
			"verification (begin + finish)", "step-up of the service",
			goal{},
			load{pid: shop.pid(), n: stepUps, workers: people, do: func(ctx context.Context, worker int) error {
				return customers[worker].verifyInTurn(ctx)
			}},
			load{pid: service.pid(), n: stepUps, workers: people, do: func(ctx context.Context, worker int) error {
				_, err := persons[worker].stepUp(ctx)
				return err
			}},
		},
	} {
		sample, err := compare(ctx, o.ours, o.bare, rounds)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.name, err)
		}
		costs = append(costs, kitCost{o.name, s.database, o.yardstick, o.goal, sample})
	}
	return costs, nil
}

// startShop starts this program again as the shop, on a new database.
func (s setup) startShop(ctx context.Context, dir string) (*server, error) {
	data, err := os.MkdirTemp(dir, "shop-")
	if err != nil {
		return nil, err
	}
	address, err := s.newStore(ctx, data)
	if err != nil {
		return nil, err
	}
	database := shopDatabase{Driver: "pgx", DSN: address}
	if s.database == "SQLite" {
		database = shopDatabase{Driver: "sqlite", DSN: "file:" + filepath.Join(data, "shop.db") +
			"?_pragma=busy_timeout(2000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)"}
	}
	input, err := json.Marshal(database)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), shopEnv+"=1")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	shop := &server{cmd: cmd}
	url, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		shop.stop()
		return nil, fmt.Errorf("shop: %w", err)
	}
	shop.url = strings.TrimSpace(url)
	return shop, nil
}

// customer is a user of the shop with a passkey, on one connection. Not safe for concurrent use.
type customer struct {
	url, token string
	client     *http.Client
	device     *authenticator.Authenticator

	user, verified int // verifications so far
}

// verificationsInSession stays below the limit on challenges.
const verificationsInSession = 20

// verifyInTurn verifies in one session after the other.
func (c *customer) verifyInTurn(ctx context.Context) error {
	inTurn := *c
	inTurn.token = tokenOf(shopUsers + c.user + people*(c.verified/verificationsInSession))
	c.verified++
	return inTurn.verify(ctx)
}

// newCustomer adds a passkey and verifies it.
func newCustomer(ctx context.Context, url string, user int) (*customer, error) {
	c := &customer{
		user: user, url: url, token: tokenOf(user), client: oneConnection(),
		device: authenticator.New(authenticator.Config{Algorithms: []int64{authenticator.ES256}, CounterStep: 1}),
	}
	c.client.Transport = originOf{url, c.client.Transport}
	options, err := c.begun(ctx, "/_stepkey/add/begin", `{}`)
	if err != nil {
		return nil, err
	}
	response, err := c.device.Create(url, options)
	if err != nil {
		return nil, err
	}
	if _, err := c.call(ctx, "POST", "/_stepkey/add/finish", fmt.Appendf(nil, `{"response":%s}`, response)); err != nil {
		return nil, err
	}
	return c, c.verify(ctx)
}

// verify goes through one verification.
func (c *customer) verify(ctx context.Context) error {
	options, err := c.begun(ctx, "/_stepkey/begin", `{"purpose":"payout"}`)
	if err != nil {
		return err
	}
	response, err := c.device.Get(c.url, options)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, "POST", "/_stepkey/finish", fmt.Appendf(nil, `{"purpose":"payout","response":%s}`, response))
	return err
}

// begun makes a call and returns the options in its answer.
func (c *customer) begun(ctx context.Context, path, body string) ([]byte, error) {
	a, err := c.call(ctx, "POST", path, []byte(body))
	if err != nil {
		return nil, err
	}
	var begun struct{ Options json.RawMessage }
	return begun.Options, json.Unmarshal(a.Body, &begun)
}

func (c *customer) call(ctx context.Context, method, path string, body []byte) (answer, error) {
	return send(ctx, c.client, c.url, c.token, method, path, body)
}

// originOf names the page that makes the requests, as browsers do.
type originOf struct {
	origin string
	http.RoundTripper
}

// RoundTrip implements http.RoundTripper. The request is one of ours, and used once.
func (o originOf) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Origin", o.origin)
	return o.RoundTripper.RoundTrip(r)
}

// reportKit returns the Markdown table of package stepup.
func reportKit(costs []kitCost, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CPU time of the application's process for one operation, median of %d rounds (least–most); %s, %s/%s, %d CPUs:\n\n",
		rounds, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	b.WriteString("| operation | database | stepup | yardstick | | ratio | goal | reached |\n|---|---|---:|---|---:|---:|---:|---|\n")
	for _, c := range costs {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", c.operation, c.database,
			micros(spreadOf(c.ours)), c.yardstick, micros(spreadOf(c.bare)), ratio(spreadOf(c.ratios())), c.goal.text(), c.goal.reached(c.sample))
	}
	return b.String()
}

// kitPlot shows the rows of the table.
func kitPlot(costs []kitCost) plot {
	var bars []bar
	for _, c := range costs {
		bars = append(bars, ratioBar(c.operation+", "+c.database, c.sample, c.goal))
	}
	return ratioPlot("stepup", "Package stepup beside its yardsticks", bars)
}
