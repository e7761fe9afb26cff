package stepkey_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/patience"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

func TestRealmRecoveryCode(t *testing.T) {
	inShop(t, func(s shop) {
		owner, c, _ := s.enrolled("42")
		codes, err := s.realm.ReplaceRecoveryCodes(s.Context(), c)
		if err != nil {
			s.Fatal(err)
		}
		later := s.visit("42", "without the passkey")
		recovering := s.enter(later)
		s.clock.Advance(stepkey.FirstPasskeyWindow + time.Microsecond)
		wantError(s, "with an old password", s.realm.UseRecoveryCode(s.Context(), recovering, codes[0]), stepkey.ErrReauthenticationRequired)
		later = s.visit("42", "signed in again")
		recovering = s.enter(later)
		wantError(s, "a wrong code", s.realm.UseRecoveryCode(s.Context(), recovering, "0000-0000-0000-0000-0000-0000"), stepkey.ErrWrongRecoveryCode)
		if err := s.realm.UseRecoveryCode(s.Context(), recovering, codes[0]); err != nil {
			s.Fatal(err)
		}
		s.wantProof("a session from before", owner, false)
		wantError(s, "a step-up meanwhile", second(s.realm.BeginStepUp(s.Context(), recovering, "payout", nil)), stepkey.ErrUnauthorized)
		device := authenticator.New(authenticator.Config{})
		p, err := s.add(recovering, device)
		if err != nil || p.UsableFrom == nil || !p.UsableFrom.Equal(p.CreatedAt.Add(stepkey.RecoveryCoolOff)) {
			s.Fatalf("added: %+v, %v; want it to wait", p, err)
		}
		var stale *stepkey.StepUpRequiredError
		if _, err := s.realm.BeginRegistration(s.Context(), recovering); !errors.As(err, &stale) {
			s.Errorf("a second one: %v, want StepUpRequiredError", err)
		}
		wantError(s, "the code again", s.realm.UseRecoveryCode(s.Context(), recovering, codes[0]), stepkey.ErrWrongRecoveryCode)
		s.clock.Advance(stepkey.RecoveryCoolOff)
		if _, err := s.verify(s.enter(s.visit("42", "a day later")), device); err != nil {
			s.Errorf("after the cool-off: %v", err)
		}
	})
}

func TestRealmAllowance(t *testing.T) {
	inShop(t, func(s shop) {
		s.enrolled("42")
		now := s.clock.Now()
		wantError(s, "an unknown user", s.realm.Allow(s.Context(), "43", now.Add(time.Hour)), stepkey.ErrNotFound)
		for _, until := range []time.Time{now, now.Add(stepkey.MaxAllowance + time.Second)} {
			wantError(s, "until "+until.String(), s.realm.Allow(s.Context(), "42", until), stepkey.ErrInvalidRequest)
		}
		var stale *stepkey.StepUpRequiredError
		v := s.visit("42", "without the passkey")
		if _, err := s.realm.BeginRegistration(s.Context(), s.enter(v)); !errors.As(err, &stale) {
			s.Errorf("before: %v", err)
		}
		if err := s.realm.Allow(s.Context(), "42", now.Add(2*time.Hour)); err != nil {
			s.Fatal(err)
		}
		s.clock.Advance(stepkey.FirstPasskeyWindow + time.Microsecond)
		if _, err := s.realm.BeginRegistration(s.Context(), s.enter(v)); !errors.As(err, &stale) {
			s.Errorf("with an old password: %v", err)
		}
		c := s.enter(s.visit("42", "signed in again"))
		errs := make([]error, 4)
		added := make([]stepkey.Passkey, 4)
		responses := make([]stepkey.RegistrationResponse, 4)
		for i := range errs {
			options, err := s.realm.BeginRegistration(s.Context(), c)
			if err != nil {
				s.Fatal(err)
			}
			responses[i] = s.created(authenticator.New(authenticator.Config{}), s.marshal(options))
		}
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { added[i], errs[i] = s.realm.FinishRegistration(s.Context(), c, responses[i], "") })
		}
		wg.Wait()
		n := 0
		for i, err := range errs {
			if err == nil {
				n++
				if added[i].UsableFrom == nil {
					s.Error("a passkey that was allowed has to wait")
				}
			} else if !errors.As(err, &stale) {
				s.Errorf("another one: %v, want StepUpRequiredError", err)
			}
		}
		if n != 1 {
			s.Errorf("%d passkeys were added, want 1", n)
		}
		if err := s.realm.Allow(s.Context(), "42", s.clock.Now().Add(time.Minute)); err != nil {
			s.Fatal(err)
		}
		s.clock.Advance(time.Minute)
		if _, err := s.realm.BeginRegistration(s.Context(), s.enter(s.visit("42", "too late"))); !errors.As(err, &stale) {
			s.Errorf("after it was over: %v", err)
		}
		if err := errors.Join(s.realm.Allow(s.Context(), "42", s.clock.Now().Add(time.Hour)), s.realm.Allow(s.Context(), "42", time.Time{})); err != nil {
			s.Fatal(err)
		}
		if _, err := s.realm.BeginRegistration(s.Context(), s.enter(s.visit("42", "once more"))); !errors.As(err, &stale) {
			s.Errorf("after it was taken back: %v", err)
		}
	})
}

// Consent is to one thing, once, and is no proof of the session.
func TestRealmConsent(t *testing.T) {
	inShop(t, func(s shop) {
		_, _, device := s.enrolled("42")
		v := s.visit("42", "another")
		c, digest := s.enter(v), sha256.Sum256([]byte("pay 100"))
		consent := func() {
			s.Helper()
			options, err := s.realm.BeginStepUp(s.Context(), c, "payout", &digest)
			if err != nil {
				s.Fatal(err)
			}
			if _, err := s.realm.FinishStepUp(s.Context(), c, s.got(device, s.marshal(options))); err != nil {
				s.Fatal(err)
			}
		}
		take := func(v stepkey.Visit, digest [sha256.Size]byte) bool {
			taken, err := s.realm.TakeConsent(s.Context(), v, digest)
			if err != nil {
				s.Fatal(err)
			}
			return taken
		}
		consent()
		s.wantProof("after a consent", v, false)
		if take(s.visit("42", "elsewhere"), digest) || take(v, sha256.Sum256([]byte("pay 900"))) {
			s.Error("it is consent in another session, or to something else")
		}
		if !take(v, digest) || take(v, digest) {
			s.Error("it has to be good once")
		}
		consent()
		s.clock.Advance(time.Minute)
		if take(v, digest) {
			s.Error("it is good after a minute")
		}
		consent()
		s.clock.Advance(-time.Hour)
		if take(v, digest) {
			s.Error("it is good an hour before it was given")
		}
		s.clock.Advance(time.Hour)
		consent()
		if err := s.realm.EndProofs(s.Context(), nil, "42"); err != nil {
			s.Fatal(err)
		}
		s.enter(v) // which anybody with the cookie can do
		if take(v, digest) {
			s.Error("it is good after EndProofs")
		}
		consent()
		if err := s.realm.SignOut(s.Context(), v); err != nil {
			s.Fatal(err)
		}
		if take(v, digest) {
			s.Error("it is good after SignOut")
		}
	})
}

// The application is told of each event, again until it took it, and of nothing that was undone.
func TestRealmNotifies(t *testing.T) {
	onBoth(t, func(f *fixture) {
		var mu sync.Mutex
		var told []stepkey.RealmEvent
		fail := true
		config := f.realmConfig("shop")
		config.Notify = func(_ context.Context, e stepkey.RealmEvent) error {
			mu.Lock()
			defer mu.Unlock()
			if fail {
				fail = false
				return errors.New("not now")
			}
			told = append(told, e)
			return nil
		}
		s := shop{f, f.newRealm(config)}
		v, device := s.visit("4\x002", "a"), authenticator.New(authenticator.Config{})
		v.Name, v.DisplayName = "\x00\xff"+strings.Repeat("m", 300), "\u202emira\n" // nothing the store could not take
		c := s.enter(v)
		p, err := s.add(c, device)
		if err != nil {
			s.Fatal(err)
		}
		if _, err := s.verify(c, device); err != nil {
			s.Fatal(err)
		}
		ctx, stop := context.WithCancel(s.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.realm.Run(ctx) }()
		kinds := func() []stepkey.EventKind {
			mu.Lock()
			defer mu.Unlock()
			var kinds []stepkey.EventKind
			for _, e := range told {
				if (e.Reason == "payout") != (e.Kind == storage.EventSteppedUp) || e.User != "4\x002" || e.Passkey != p.ID || e.ID == uuid.Nil {
					s.Errorf("told of %+v", e)
				}
				kinds = append(kinds, e.Kind)
			}
			slices.Sort(kinds)
			return kinds
		}
		want := []stepkey.EventKind{storage.EventPasskeyAdded, storage.EventSteppedUp}
		for deadline := time.Now().Add(patience.Long); !slices.Equal(kinds(), want); {
			if time.Now().After(deadline) {
				s.Fatalf("told of %v, want %v", kinds(), want)
			}
			time.Sleep(10 * time.Millisecond)
			s.clock.Advance(time.Second) // the second try is due in a few
		}
		stop()
		<-done
	})
}
