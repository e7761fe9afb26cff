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

// Timeout is the default of Options.Timeout. Every login asks Redis first, so an
// early refusal serves people better than a long wait.
const Timeout = 250 * time.Millisecond

// minTimeout keeps what hangs within rueidis' queue; see maxInFlight.
const minTimeout = 125 * time.Millisecond

// giveUp is how long a connection may leave a command unanswered before it is
// closed.
const giveUp = time.Second

// startTimeout bounds, unless Timeout is longer, the first connection and what is
// asked on it: nobody waits for a server that starts, and it may be a busy moment.
const startTimeout = 2 * time.Second

// connections is how many there are, as a power of two: commands of many callers
// share one.
const connections = 1

// maxInFlight bounds how many operations wait for the server at once. While it hangs,
// those that were given up stay in rueidis' queues until it gives up the connection,
// after two seconds; in a full queue the next would wait without looking at its
// deadline. A queue takes 1024, and 64 every minTimeout never fill it.
const maxInFlight = 64

// Options change how a Store is opened.
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

// Open connects to the server that url names and makes sure that it answers:
//
//	redis://user:password@host:6379/0
//	rediss://user:password@host:6379/0  (TLS)
//	unix:///run/redis/redis.sock?db=0
//
// The caller closes the Store.
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
	option.DisableCache = true // nothing here may be answered from memory
	// A command that may have been carried out is not sent again: a refund must not
	// count twice.
	option.DisableRetry = true
	// Connections that the server closed are noticed at once and not with the next
	// command.
	option.AlwaysPipelining = true
	// One that does not answer for so long is given up, so that the next one can.
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

// Close ends all connections.
func (s *Store) Close() { s.client.Close() }

// Ping reports whether the server answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, func(ctx context.Context) rueidis.RedisResult {
		return s.client.Do(ctx, s.client.B().Ping().Build())
	}).Error()
}

// EvictionPolicy returns the server's maxmemory-policy, and whether it drops keys when
// memory is full. Then limits can be reset by filling it.
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

// do asks the server, by a deadline of its own and not until the client has gone: a
// half-known outcome helps nobody. An error other than rueidis.Nil is ErrUnavailable.
//
// The caller leaves at the deadline also if rueidis does not: closing a connection
// whose handshake was not answered takes it a second.
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
