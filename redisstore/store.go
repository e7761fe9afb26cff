package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/stepkey/stepkey/storage"
)

// Timeout is the default of Options.Timeout. Every login queries Redis first,
// and an early refusal is better for people than a long wait.
const Timeout = 250 * time.Millisecond

// minTimeout keeps the number of hanging operations within rueidis' queue; see
// maxInFlight.
const minTimeout = 125 * time.Millisecond

// giveUp is how long a command may remain unanswered before its connection is
// closed.
const giveUp = time.Second

// startTimeout bounds the first connection and its commands, unless Timeout is
// longer. At the start no client is waiting, and the machine may be busy.
const startTimeout = 2 * time.Second

// connections is the number of connections, as the exponent of a power of two:
// many callers share one.
const connections = 1

// maxInFlight bounds how many operations wait for the server at once. While the
// server hangs, operations that timed out stay in rueidis' queues until it gives up
// the connection, after two seconds; with a full queue the next one would wait
// regardless of its deadline. A queue holds 1024 operations, and 64 every minTimeout
// never fill it.
const maxInFlight = 64

// Options configure a Store.
type Options struct {
	// Timeout bounds every operation, the wait for a connection included. The
	// default is [Timeout]; less than 125 ms is refused.
	Timeout time.Duration
}

// Store is a storage.Challenges and a storage.Limiter. It is safe for concurrent
// use.
type Store struct {
	client                    rueidis.Client
	put, take, charge, refund *rueidis.Lua
	inFlight                  chan struct{}
	timeout                   time.Duration
}

var (
	_ storage.Challenges = (*Store)(nil)
	_ storage.Limiter    = (*Store)(nil)
)

// Open connects to the server at url and makes sure that it answers:
//
//	redis://user:password@host:6379/0
//	rediss://user:password@host:6379/0  (TLS)
//	unix:///run/redis/redis.sock?db=0
//
// The caller must close the Store.
func Open(ctx context.Context, url string, options Options) (*Store, error) {
	if options.Timeout == 0 {
		options.Timeout = Timeout
	}
	if options.Timeout < minTimeout {
		return nil, fmt.Errorf("redisstore: Options.Timeout is %s: use at least %s", options.Timeout, minTimeout)
	}
	option, err := rueidis.ParseURL(url)
	if err != nil {
		// The error may quote the URL, and with it the password.
		return nil, errors.New("redisstore: the URL is not a Redis URL: " +
			"write it like redis://user:password@host:6379/0, rediss://… for TLS, or unix:///path/to/socket")
	}
	client, err := rueidis.NewClient(configure(option, options.Timeout))
	if err != nil {
		if client != nil {
			client.Close()
		}
		return nil, unavailable(err)
	}
	s := &Store{
		client: client,
		put:    rueidis.NewLuaScript(putScript), take: rueidis.NewLuaScript(takeScript),
		charge: rueidis.NewLuaScript(chargeScript), refund: rueidis.NewLuaScript(refundScript),
		inFlight: make(chan struct{}, maxInFlight),
		timeout:  max(startTimeout, options.Timeout),
	}
	if err := s.check(ctx); err != nil {
		s.Close()
		return nil, err
	}
	s.timeout = options.Timeout
	return s, nil
}

func configure(option rueidis.ClientOption, timeout time.Duration) rueidis.ClientOption {
	option.ForceSingleClient = true
	option.PipelineMultiplex = connections
	option.ReadBufferEachConn, option.WriteBufferEachConn = 1<<16, 1<<16
	option.DisableCache = true // nothing here may be cached
	// Commands are not retried, because they may have been carried out: a refund
	// must not count twice.
	option.DisableRetry = true
	// Notice connections that the server closed at once, and not with the next
	// command.
	option.AlwaysPipelining = true
	// Give up a connection that does not answer for that long, so that a new one
	// can be made.
	option.ConnWriteTimeout = max(giveUp, timeout)
	option.Dialer.Timeout = max(startTimeout, timeout)
	if option.ClientName == "" {
		option.ClientName = "stepkey"
	}
	return option
}

func (s *Store) check(ctx context.Context) error {
	if err := s.Ping(ctx); err != nil {
		return err
	}
	info, err := s.info(ctx, "cluster")
	if err != nil {
		return err
	}
	if info["cluster_enabled"] == "1" {
		return errors.New("redisstore: the URL leads to a node of a Redis Cluster, which is not supported: use a single server")
	}
	return nil
}

// Close closes all connections.
func (s *Store) Close() { s.client.Close() }

// Ping reports whether the server answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, func(ctx context.Context) rueidis.RedisResult {
		return s.client.Do(ctx, s.client.B().Ping().Build())
	}).Error()
}

// EvictionPolicy returns the server's maxmemory-policy, and whether it evicts keys
// when memory is full. If so, an attacker can reset limits by filling the memory.
func (s *Store) EvictionPolicy(ctx context.Context) (policy string, evicts bool, err error) {
	info, err := s.info(ctx, "memory")
	if err != nil {
		return "", false, err
	}
	policy = info["maxmemory_policy"]
	return policy, policy != "noeviction" && info["maxmemory"] != "0", nil
}

// info returns the fields of a section of INFO.
func (s *Store) info(ctx context.Context, section string) (map[string]string, error) {
	text, err := s.do(ctx, func(ctx context.Context) rueidis.RedisResult {
		return s.client.Do(ctx, s.client.B().Info().Section(section).Build())
	}).ToString()
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields, nil
}

// run runs a script.
func (s *Store) run(ctx context.Context, script *rueidis.Lua, keys, args []string) rueidis.RedisResult {
	return s.do(ctx, func(ctx context.Context) rueidis.RedisResult { return script.Exec(ctx, s.client, keys, args) })
}

// do sends a command with its own deadline. It continues even if the client has gone,
// because otherwise the outcome would be unknown. An error other than rueidis.Nil is
// ErrUnavailable.
//
// do returns at the deadline even if rueidis does not, which takes a second to
// close a connection whose handshake was not answered.
func (s *Store) do(ctx context.Context, ask func(context.Context) rueidis.RedisResult) rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	select {
	case s.inFlight <- struct{}{}:
	case <-ctx.Done():
		return rueidis.NewErrorResult(unavailable(ctx.Err()))
	}
	answer := make(chan rueidis.RedisResult, 1)
	go func() {
		defer func() { <-s.inFlight }()
		answer <- ask(ctx)
	}()
	select {
	case result := <-answer:
		if err := result.Error(); err != nil && !rueidis.IsRedisNil(err) {
			return rueidis.NewErrorResult(unavailable(err))
		}
		return result
	case <-ctx.Done():
		return rueidis.NewErrorResult(unavailable(ctx.Err()))
	}
}

func unavailable(err error) error { return fmt.Errorf("%w: redis: %w", storage.ErrUnavailable, err) }
