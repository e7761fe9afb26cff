package stepkey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/internal/messages"
	"github.com/stepkey/stepkey/internal/origin"
	"github.com/stepkey/stepkey/internal/outbox"
	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/internal/tally"
	"github.com/stepkey/stepkey/internal/throttle"
	"github.com/stepkey/stepkey/internal/tokens"
	"github.com/stepkey/stepkey/internal/username"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// Service holds the use-cases. It is safe for concurrent use, and several
// Services, in one process or many, can share a store.
type Service struct {
	store      Store
	challenges storage.AccountChallenges

	// challengesApart reports whether another store keeps the challenges. A backup of that store
	// may bring a used challenge back.
	challengesApart bool

	clock  func() time.Time
	random io.Reader
	log    *slog.Logger

	relyingParty *ceremony.RelyingParty
	passwords    *password.Keeper

	ended         *tokens.EndedSessions
	endedLists    *tokens.EndedLists
	lowered       *tokens.LoweredSessions
	root          secret.Root
	refreshTokens tokens.RefreshTokens
	browsers      tokens.BrowserTokens
	devices       tokens.DeviceTokens
	codeKey       []byte // of recovery codes
	coolOff       time.Duration
	turns         *throttle.Turns
	throttle      *throttle.Throttle
	keys          *tokens.SigningKeys
	mint          *tokens.Mint
	verifier      *token.Verifier
	origins       origin.Set

	ownClaims      []string
	noPasskeyLogIn bool
	signUpMode     SignUpMode

	signInByAddress bool
	requireAddress  bool // Config.RequireConfirmedAddress
	reserved        username.Reserved

	outbox    *outbox.Outbox
	languages *messages.Set
	tally     *tally.Tally // of failed attempts

	realm string // empty unless the service is that of a [Realm]

	// tell, unless it is nil, queues an event for the application of a [Realm], in the
	// transaction that records it.
	tell func(ctx context.Context, tx storage.Tx, e Event) error
}

// New makes a Service, and creates a signing key in the store if one is needed and there is none.
// It returns an error for an unsafe config, which says what to do, and ErrOtherSecret if the
// store was first used with another secret.
func New(ctx context.Context, config Config) (*Service, error) {
	return open(ctx, config, password.KeeperConfig{})
}

// open is New with settings of password hashing that Config does not have: the cost of hashes, and
// how often the store is searched for old kinds of them.
func open(ctx context.Context, config Config, hashing password.KeeperConfig) (*Service, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := assemble(c, hashing)
	if err != nil {
		return nil, err
	}
	if err := s.load(ctx, c); err != nil {
		return nil, err
	}
	return s, nil
}

// assemble builds the parts that do not read the store.
func assemble(c Config, hashing password.KeeperConfig) (*Service, error) {
	s, err := assembleCore(c)
	if err != nil {
		return nil, err
	}
	hashing.Hashes, hashing.Random, hashing.Log = s.store, c.Random, c.Log
	hashing.Slots, hashing.MaxWait, hashing.Breaches = c.HashSlots, c.HashWait, c.Breaches
	hashing.Policy = password.Policy{MinLength: c.MinPasswordLength, Service: c.RPName}
	if s.passwords, err = password.NewKeeper(hashing); err != nil {
		return nil, fmt.Errorf("stepkey: %w", err)
	}
	if s.reserved, err = username.NewReserved("Config.ReservedNames", c.ReservedNames); err != nil {
		return nil, err
	}
	if s.languages, err = c.languages(); err != nil {
		return nil, fmt.Errorf("stepkey: %w", err)
	}
	if s.outbox, err = outbox.New(outbox.Config{
		Languages: s.languages, Store: s.store, Root: s.root, Send: sender(c.Mailer), Tasks: map[outbox.Task]outbox.Handler{taskFindAccounts: s.findAccounts},
		PublicURL: c.PublicURL, ServiceName: c.RPName, Random: c.Random, Now: s.now, Log: c.Log,
	}); err != nil {
		return nil, fmt.Errorf("stepkey: %w", err)
	}
	s.refreshTokens, s.devices = tokens.NewRefreshTokens(s.root), tokens.NewDeviceTokens(s.root, c.Random)
	s.browsers = tokens.NewBrowserTokens(s.root, c.Random)
	s.limitBy(c, s.passwords.Gate())
	s.ended, s.lowered = tokens.NewEndedSessions(s.store, s.clock), tokens.NewLoweredSessions(s.store, s.clock)
	return s, nil
}

// assembleCore builds the parts that a [Realm] shares: all but passwords and tokens.
func assembleCore(c Config) (s *Service, err error) {
	s = &Service{
		clock: c.Clock, random: c.Random, log: c.Log, origins: c.originSet(), ownClaims: c.OwnClaims,
		coolOff: c.RecoveryCoolOff, noPasskeyLogIn: c.NoPasskeyLogIn, signUpMode: c.SignUp, signInByAddress: c.SignInByAddress,
		requireAddress: c.RequireConfirmedAddress,
	}
	s.turns = throttle.NewTurns(refuse)
	s.store = s.turns.Store(c.Store)
	s.tally = tally.New(c.Store)
	s.challenges, s.challengesApart = s.turns.Challenges(c.Challenges, c.Store)
	if s.relyingParty, err = ceremony.New(ceremony.Config{
		RPID: c.RPID, RPName: c.RPName, Origins: s.origins.All(), Timeout: ChallengeLifetime, Random: c.Random,
		AttestationRoots: c.AttestationRoots,
	}); err != nil {
		return nil, fmt.Errorf("stepkey: %w", err)
	}
	if s.root, err = secret.ParseRoot(c.Secret); err != nil {
		return nil, fmt.Errorf("stepkey: %w", err)
	}
	s.codeKey = s.root.Derive("recovery code")
	return s, nil
}

// limitBy builds the throttle. gate is the gate of password hashing, nil without passwords.
func (s *Service) limitBy(c Config, gate *password.Gate) {
	limiter := c.Limiter
	if limiter != nil {
		limiter = s.turns.Limiter(limiter)
	}
	s.throttle = throttle.New(throttle.Config{
		Limiter: limiter, Attempts: s.store, Gate: gate, Key: s.root.Derive("limits"),
		AttackFailures: c.AttackFailures, Refuse: refuse, Log: c.Log,
	})
}

// load reads what the service caches of its store, and builds the parts that need the signing
// keys.
func (s *Service) load(ctx context.Context, c Config) (err error) {
	if err := pinSetting(ctx, s.store, settingFingerprint, s.root.Fingerprint(), ErrOtherSecret); err != nil {
		return err
	}
	if err := s.lowered.Read(ctx); err != nil {
		return fmt.Errorf("stepkey: read the lowered sessions: %w", err)
	}
	if err := s.ended.Read(ctx); err != nil {
		return fmt.Errorf("stepkey: read the ended sessions: %w", err)
	}
	if err := s.passwords.LookForOldHashes(ctx); err != nil {
		return fmt.Errorf("stepkey: look for old password hashes: %w", err)
	}
	if s.keys, err = openKeys(ctx, c, s.store, s.root); err != nil {
		return err
	}
	signer := token.NewSigner(s.keys.Ring())
	s.mint = tokens.NewMint(signer, c.Issuer, c.Audience, c.OwnClaims, c.Random)
	s.endedLists = tokens.NewEndedLists(s.ended, signer, c.Issuer)
	s.verifier, err = token.NewVerifier(s.keys, token.Expect{
		Issuer: c.Issuer, Audience: c.Audience, Clock: c.Clock,
	})
	return err
}

const settingFingerprint = "secret_fingerprint"

// ErrOtherSecret is returned by [New] for a store that was set up with another secret.
// Its signing keys cannot be opened, and to replace them silently would sign everybody
// out.
var ErrOtherSecret = errors.New("stepkey: the database was set up with another Config.Secret: " +
	"start with the one it was first used with, found in the data folder or wherever it was kept")

// pinSetting records value under name in the store, or returns other if another is there.
func pinSetting(ctx context.Context, store Store, name, value string, other error) error {
	pinned := ""
	err := store.InTx(ctx, func(tx storage.Tx) (err error) {
		pinned, err = tx.PinSetting(ctx, name, value)
		return err
	})
	if err != nil {
		return fmt.Errorf("stepkey: read a pinned setting: %w", err)
	}
	if pinned != value {
		return other
	}
	return nil
}

// openKeys opens the signing keys according to c.
func openKeys(ctx context.Context, c Config, store Store, root secret.Root) (*tokens.SigningKeys, error) {
	keys := tokens.KeyConfig{
		Store: store, Root: root, Random: c.Random, Now: func() time.Time { return storedNow(c.Clock) },
		Algorithm: c.Algorithm, Lifetime: c.KeyLifetime,
	}
	if c.SharedSecret != "" {
		previous := make([][]byte, len(c.PreviousSharedSecrets))
		for i, text := range c.PreviousSharedSecrets {
			previous[i] = []byte(text)
		}
		var err error
		keys.Shared, err = token.NewSecretKey([]byte(c.SharedSecret), c.WeakSharedSecret(), previous...)
		if err != nil {
			return nil, err
		}
		keys.SharedUntil = c.SharedSecretUntil
	}
	return tokens.OpenSigningKeys(ctx, keys)
}

// Verifier checks the tokens that this service makes, by its own keys.
func (s *Service) Verifier() *token.Verifier { return s.verifier }

// Origins returns the origins of the pages that may use passkeys, related ones too.
// Apps are not among them.
func (s *Service) Origins() []string { return s.origins.Pages() }

// RelatedOrigins returns those of Config.RelatedOrigins.
func (s *Service) RelatedOrigins() []string { return slices.Clone(s.origins.RelatedOrigins) }

// PublicURL returns Config.PublicURL or its default.
func (s *Service) PublicURL() string { return s.outbox.PublicURL() }

// PublicKeys returns the keys that others need to check tokens. It is empty
// where tokens are signed with a shared secret.
func (s *Service) PublicKeys() token.JWKS { return s.keys.Ring().JWKS() }

// Ready returns nil if a load balancer should send requests to this instance: the store answers, and
// Run has read it within 30 seconds (else ErrEndedUnknown), without which guards refuse every token.
// It does not check separate Challenges and Limiter, nor whether the store accepts writes: all instances share
// those, and if every instance reported itself unready, requests that do not need them would fail as well.
func (s *Service) Ready(ctx context.Context) error {
	if err := errors.Join(s.ended.Fresh(), s.lowered.Fresh()); err != nil {
		return err
	}
	return s.store.Ping(ctx)
}

// MinPasswordLength is how many characters a new password has at least.
func (s *Service) MinPasswordLength() int { return s.passwords.MinLength() }

// Now is the time by which the service decides.
func (s *Service) Now() time.Time { return s.clock() }

// now is read once in a use-case.
func (s *Service) now() time.Time { return storedNow(s.clock) }

// storedNow returns the time as stores keep it, to the microsecond.
func storedNow(clock func() time.Time) time.Time { return clock().UTC().Truncate(time.Microsecond) }

// newID returns a random id (RFC 9562 version 4).
func (s *Service) newID() (uuid.UUID, error) {
	id, err := uuid.NewRandomFromReader(s.random)
	if err != nil {
		return uuid.Nil, fmt.Errorf("stepkey: draw an id: %w", err)
	}
	return id, nil
}

// record fills in id, time and client of e and adds it.
func (s *Service) record(ctx context.Context, tx storage.Tx, e Event, now time.Time) error {
	id, err := storage.NewEventID(s.random, now)
	if err != nil {
		return err
	}
	e = ofClient(ctx, e)
	e.ID, e.At = id, now
	if err := tx.RecordEvent(ctx, e); err != nil || s.tell == nil {
		return err
	}
	return s.tell(ctx, tx, e)
}

// account returns the caller's account. A session at level recovery is ErrUnauthorized: it may only
// add a passkey, even if a guard lets its token through.
func (s *Service) account(ctx context.Context, c Caller, now time.Time) (storage.Account, error) {
	a, err := s.enrollingAccount(ctx, c, now)
	if err == nil && a.Session.Level() == token.LevelRecovery {
		return storage.Account{}, ErrUnauthorized
	}
	return a, err
}

// enrollingAccount is account for adding a passkey, which level recovery allows.
func (s *Service) enrollingAccount(ctx context.Context, c Caller, now time.Time) (storage.Account, error) {
	if err := s.check(c, now); err != nil {
		return storage.Account{}, err
	}
	a, err := s.store.Account(ctx, c.userID, c.sessionID, now)
	return a, unauthorizedIfMissing(err)
}
