package stepkey_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

// watched is a store that counts how many operations are under way at once.
type watched struct {
	*sqlstore.Store
	now, most atomic.Int32
	done      atomic.Int32  // transactions
	lasts     time.Duration // how long each of them keeps its connection
}

func (w *watched) begin() (end func()) {
	n := w.now.Add(1)
	for most := w.most.Load(); n > most && !w.most.CompareAndSwap(most, n); most = w.most.Load() {
	}
	time.Sleep(time.Millisecond) // so that those that are not kept apart meet
	return func() {
		w.now.Add(-1)
	}
}

func (w *watched) InTx(ctx context.Context, fn func(storage.Tx) error) error {
	defer w.begin()()
	defer w.done.Add(1)
	return w.Store.InTx(ctx, func(tx storage.Tx) error {
		err := fn(tx)
		time.Sleep(w.lasts)
		return err
	})
}

func (w *watched) Account(ctx context.Context, userID, sessionID uuid.UUID, now time.Time) (storage.Account, error) {
	defer w.begin()()
	return w.Store.Account(ctx, userID, sessionID, now)
}

func (w *watched) Elevate(ctx context.Context, e storage.Elevation) (int64, error) {
	defer w.begin()()
	return w.Store.Elevate(ctx, e)
}

func (w *watched) Consent(ctx context.Context, v storage.Verified) error {
	defer w.begin()()
	return w.Store.Consent(ctx, v)
}

func (w *watched) RefreshSession(ctx context.Context, id uuid.UUID) (stepkey.Session, error) {
	defer w.begin()()
	return w.Store.RefreshSession(ctx, id)
}

func (w *watched) RotateSession(ctx context.Context, r storage.Rotation) (storage.Rotated, error) {
	defer w.begin()()
	return w.Store.RotateSession(ctx, r)
}

func (w *watched) Sessions(ctx context.Context, userID uuid.UUID, now, idleSince time.Time, before *stepkey.SessionPlace, limit int) ([]stepkey.Session, error) {
	defer w.begin()()
	return w.Store.Sessions(ctx, userID, now, idleSince, before, limit)
}

func (w *watched) Events(ctx context.Context, userID uuid.UUID, before *stepkey.EventPlace, limit int) ([]stepkey.Event, error) {
	defer w.begin()()
	return w.Store.Events(ctx, userID, before, limit)
}

func (w *watched) ChargeAttempt(ctx context.Context, a storage.Attempt) (storage.Attempts, error) {
	defer w.begin()()
	return w.Store.ChargeAttempt(ctx, a)
}

func (w *watched) RecordRefusedCeremony(ctx context.Context, r stepkey.RefusedCeremony) error {
	defer w.begin()()
	return w.Store.RecordRefusedCeremony(ctx, r)
}

func (w *watched) RecoveryCodes(ctx context.Context, userID uuid.UUID) (int, *time.Time, error) {
	defer w.begin()()
	return w.Store.RecoveryCodes(ctx, userID)
}

func (w *watched) RefusedCeremonies(ctx context.Context, userID uuid.UUID) ([]stepkey.RefusedCeremony, error) {
	defer w.begin()()
	return w.Store.RefusedCeremonies(ctx, userID)
}

func (w *watched) Put(ctx context.Context, key storage.ChallengeKey, state []byte, ttl time.Duration) error {
	defer w.begin()()
	return w.Store.Put(ctx, key, state, ttl)
}

func (w *watched) Take(ctx context.Context, key storage.ChallengeKey) ([]byte, error) {
	defer w.begin()()
	return w.Store.Take(ctx, key)
}

func (w *watched) TakeWithAccount(ctx context.Context, key storage.ChallengeKey, now time.Time) (storage.Account, []byte, error) {
	defer w.begin()()
	return w.Store.TakeWithAccount(ctx, key, now)
}

func (w *watched) Charge(ctx context.Context, charges ...storage.Charge) (time.Duration, error) {
	defer w.begin()()
	return w.Store.Charge(ctx, charges...)
}

func (w *watched) Ping(ctx context.Context) error {
	defer w.begin()()
	return w.Store.Ping(ctx)
}

// watch replaces the fixture's service by one on a watched store.
func (f *fixture) watch() *watched {
	w := &watched{Store: f.store}
	config := f.config()
	config.Store, config.Challenges, config.Limiter, config.HashSlots = w, w, w, 60
	f.service = f.newService(config)
	return w
}

// at60 makes 60 calls at once and waits for them.
func at60(call func()) {
	var all sync.WaitGroup
	for range 60 {
		all.Go(call)
	}
	all.Wait()
}

// However many calls of one account come at once, two of them are at the store, and the
// others hold no connection.
func TestCallsOfOneAccountTakeTurns(t *testing.T) {
	onBoth(t, func(f *fixture) {
		w := f.watch()
		claims, device := f.enrolled("mira", authenticator.Config{})
		refreshing := f.logInForRefresh("mira")
		ctx := stepkey.WithAccount(f.Context(), uuid.MustParse(claims.Claims().Subject))
		passkey := f.passkeys(claims).Passkeys[0].ID
		guess := stepkey.LogInRequest{Username: "mira", Password: password, Client: one}
		refusal := stepkey.RefusedCeremony{
			UserID: uuid.MustParse(claims.Claims().Subject), Ceremony: stepkey.PurposeStepUp, Reason: "origin",
		}
		answer := f.got(device, f.stepUpOptions(claims))
		for _, kind := range []struct {
			what string
			most int32
			call func()
		}{
			{"rename", 2, func() { _, _, _ = f.service.RenamePasskey(ctx, claims, passkey, "Phone") }},
			{"delete", 2, func() { _, _ = f.service.DeletePasskey(ctx, claims, uuid.New(), false) }},
			// The session, by whose token it is not yet known whose it is, and the account.
			{"refresh", 4, func() { _, _ = f.service.Refresh(f.Context(), refreshing.RefreshToken) }},
			{"options", 2, func() { _, _ = f.service.BeginStepUp(ctx, claims, nil) }},
			{"verify", 2, func() { _, _ = f.service.FinishStepUp(ctx, claims, answer) }},
			{"list", 2, func() { _, _, _ = f.service.Sessions(f.Context(), claims, nil, 10) }},
			{"events", 2, func() { _, _, _ = f.service.Events(f.Context(), claims, nil, 10) }},
			{"recovery", 2, func() { _, _ = f.service.Recovery(f.Context(), claims) }},
			{"export", 2, func() { _, _ = f.service.ExportAccount(ctx, claims) }},
			{"record a refusal", 2, func() { _ = f.service.RecordRefusedCeremony(f.Context(), refusal) }},
			{"log out", 2, func() { _, _ = f.service.LogOutOthers(ctx, claims) }},
			{"ready", 2, func() { _ = f.service.Ready(f.Context()) }},
			// The limits of an address, the count of the account and the account itself.
			{"login", 6, func() { _, _ = f.service.LogIn(f.Context(), guess) }},
		} {
			w.most.Store(0)
			at60(kind.call)
			if most := w.most.Load(); most < 1 || most > kind.most {
				f.Errorf("%s: %d at once, want at most %d", kind.what, most, kind.most)
			}
		}
	})
}

// Somebody else's call does not queue behind those of one account.
func TestOneAccountDoesNotKeepOthersWaiting(t *testing.T) {
	onBoth(t, func(f *fixture) {
		w := f.watch()
		signingOutOthers := func(c stepkey.Caller) {
			ctx := stepkey.WithAccount(f.Context(), uuid.MustParse(c.Claims().Subject))
			if _, err := f.service.LogOutOthers(ctx, c); err != nil {
				f.Errorf("LogOutOthers: %v", err)
			}
		}
		full := func(name string) stepkey.Caller {
			c, device := f.enrolled(name, authenticator.Config{})
			return f.stepUp(c, device)
		}
		mira, noor := full("mira"), full("noor")
		w.lasts = 50 * time.Millisecond
		var started atomic.Int32
		done := make(chan struct{})
		go func() {
			at60(func() {
				started.Add(1)
				signingOutOthers(mira)
			})
			close(done)
		}()
		for started.Load() < 60 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond) // for the last of them to queue
		before := w.done.Load()
		signingOutOthers(noor)
		if overtaken := w.done.Load() - before; overtaken > 20 {
			f.Errorf("%d transactions of somebody else came first", overtaken)
		}
		<-done
	})
}
