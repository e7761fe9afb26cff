package stepkey

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/storage"
)

// UseCheapHashes makes s hash with next to no work. What a hash costs is tested where
// hashes are made; here it would only make each of some thousand sign-ins wait.
func UseCheapHashes(t testing.TB, s *Service) {
	t.Helper()
	hasher, err := password.New(password.Params{MemoryKiB: 8, Passes: 1, Lanes: 1}, s.random)
	if err != nil {
		t.Fatal(err)
	}
	s.hasher = hasher
	s.failureFloor.Store(0)
	LookForOldHashes(t, s)
}

// LookForOldHashes has s look now for kinds of hashes in the store.
func LookForOldHashes(t testing.TB, s *Service) {
	t.Helper()
	if err := s.lookForOldHashes(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// LookOften has s look for kinds of hashes all the time, while it runs.
func LookOften(s *Service) { s.oldHashes.every = time.Millisecond }

// FailureFloor is how long a failed login takes at least.
func FailureFloor(s *Service) time.Duration { return time.Duration(s.failureFloor.Load()) }

// How many places one client holds at the hash gate.
const (
	MaxAccountPlaces = maxAccountPlaces
	MaxDevicesPlaces = maxDevicesPlaces
)

// Limits are the service's limits without the service around them.
type Limits struct {
	limits *limits
	clock  func() time.Time
}

// NewLimits returns the limits with their defaults.
func NewLimits(l Limiter, clock func() time.Time) Limits {
	c := Config{Limiter: l, AttackFailures: AttackFailures, Log: slog.New(slog.DiscardHandler)}
	return Limits{newLimits(c, make([]byte, 32)), clock}
}

func (l Limits) charge(charges []storage.Charge) error {
	return l.limits.charge(context.Background(), l.clock(), charges...)
}

func (l Limits) LogIn(c Client) error        { return l.charge(l.limits.logInCharges(c, l.clock())) }
func (l Limits) SignUp(c Client) error       { return l.charge(l.limits.signUpCharges(c)) }
func (l Limits) PasskeyLogIn(c Client) error { return l.charge(l.limits.passkeyLogInCharges(c)) }

// Failure counts one failure of anybody's.
func (l Limits) Failure() error {
	return l.charge([]storage.Charge{{Bucket: "login-all", Limit: l.limits.failures, Cost: 1}})
}

func (l Limits) AnonymousOptions(c Client) error {
	return l.limits.chargeAnonymousOptions(context.Background(), c, l.clock())
}

func (l Limits) Reset(c Client, whose string) error {
	return l.limits.chargeReset(context.Background(), c, whose, l.clock())
}

func (l Limits) Confirmation(user uuid.UUID, c Client, address string) error {
	return l.limits.chargeConfirmation(context.Background(), accountOf(user), c, address, l.clock())
}

func (l Limits) RecoveryByMail(user uuid.UUID, c Client) error {
	return l.limits.chargeRecoveryByMail(context.Background(), accountOf(user), c, l.clock())
}

func (l Limits) PasskeyChange(user uuid.UUID) error {
	return l.limits.chargeChange(context.Background(), accountOf(user), changePasskeys, l.clock())
}

func (l Limits) AccountChange(user uuid.UUID) error {
	return l.limits.chargeChange(context.Background(), accountOf(user), changeRecoveryCodes, l.clock())
}

func (l Limits) Notice(user uuid.UUID, kind storage.MailKind) error {
	return l.limits.chargeNotice(context.Background(), user, kind, l.clock())
}

func (l Limits) Options(session uuid.UUID) error {
	return l.limits.chargeOptions(context.Background(), accountIn(session), l.clock())
}

func (l Limits) RecoveryCode(session uuid.UUID) error {
	return l.limits.chargeRecoveryCode(context.Background(), accountIn(session), l.clock())
}

func (l Limits) Verification(session uuid.UUID) error {
	return l.limits.chargeVerification(context.Background(), accountIn(session), l.clock())
}

func (l Limits) RefusedCeremony(user uuid.UUID) error {
	return l.limits.chargeRefusedCeremony(context.Background(), user, l.clock())
}

func accountOf(user uuid.UUID) storage.Account { return storage.Account{User: User{ID: user}} }

func (l Limits) SignIn(name string, c Client) error { return l.charge(l.limits.signInCharges(name, c)) }

// SignInOnDevice is for the device with that number.
func (l Limits) SignInOnDevice(number byte, c Client) error {
	return l.charge(l.limits.knownDeviceCharges(device{nonce: [deviceNonceBytes]byte{number}}, c))
}

func (l Limits) PasswordChange(user uuid.UUID) error {
	return l.limits.chargePasswordChange(context.Background(), user, l.clock())
}

func (l Limits) Rename(session uuid.UUID) error {
	return l.limits.chargeRename(context.Background(), session, l.clock())
}

func (l Limits) Export(session uuid.UUID) error {
	return l.limits.chargeExport(context.Background(), session, l.clock())
}

func (l Limits) Refresh(session uuid.UUID) error {
	return l.limits.admitRefresh(session.String(), l.clock())
}

func (l Limits) Call(session uuid.UUID) error {
	return l.limits.admit("session", session.String(), sessionCallsLimit(), l.clock())
}

func (l Limits) CallFrom(c Client) error {
	return l.limits.admit("client", c.IP.String(), clientCallsLimit(), l.clock())
}

func (l Limits) Readiness(c Client) error {
	return l.limits.admit("readiness", c.IP.String(), readinessLimit(), l.clock())
}

func (l Limits) Introspection(c Client) error {
	_, err := l.limits.admitIntrospection(c, l.clock())
	return err
}

func (l Limits) Revocation(c Client) error {
	_, err := l.limits.admitRevocation(c, l.clock())
	return err
}

func accountIn(session uuid.UUID) storage.Account {
	return storage.Account{Session: Session{ID: session}}
}
