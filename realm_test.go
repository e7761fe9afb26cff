package stepkey_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// shop is a realm on the store of a fixture.
type shop struct {
	*fixture
	realm *stepkey.Realm
}

func (f *fixture) realmConfig(name string) stepkey.RealmConfig {
	return stepkey.RealmConfig{
		Name: name, Store: f.store, Challenges: f.store, Limiter: f.store, Clock: f.clock.Now,
		Secret: rootSecret, Origins: []string{origin},
	}
}

func (f *fixture) newRealm(c stepkey.RealmConfig) *stepkey.Realm {
	f.Helper()
	r, err := stepkey.NewRealm(f.Context(), c)
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// inShop runs a test with a realm on SQLite and on PostgreSQL.
func inShop(t *testing.T, test func(s shop)) {
	onBoth(t, func(f *fixture) { test(shop{f, f.newRealm(f.realmConfig("shop"))}) })
}

// visit is a sign-in with a password at this moment.
func (s shop) visit(user, session string) stepkey.Visit {
	now := s.clock.Now()
	return stepkey.Visit{User: user, Name: user + "@example.com", DisplayName: user, Session: session, SignedInAt: now, PasswordAt: now}
}

func (s shop) enter(v stepkey.Visit) stepkey.Caller {
	s.Helper()
	c, err := s.realm.Enter(s.Context(), v)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

func (s shop) add(c stepkey.Caller, device *authenticator.Authenticator) (stepkey.Passkey, error) {
	options, err := s.realm.BeginRegistration(s.Context(), c)
	if err != nil {
		return stepkey.Passkey{}, err
	}
	return s.realm.FinishRegistration(s.Context(), c, s.created(device, s.marshal(options)), "")
}

func (s shop) verify(c stepkey.Caller, device *authenticator.Authenticator) (stepkey.Proof, error) {
	options, err := s.realm.BeginStepUp(s.Context(), c, "payout", nil)
	if err != nil {
		return stepkey.Proof{}, err
	}
	return s.realm.FinishStepUp(s.Context(), c, s.got(device, s.marshal(options)))
}

func (s shop) standing(v stepkey.Visit) stepkey.Standing {
	s.Helper()
	standing, err := s.realm.Standing(s.Context(), v)
	if err != nil {
		s.Fatal(err)
	}
	return standing
}

func (s shop) wantProof(what string, v stepkey.Visit, want bool) {
	s.Helper()
	if standing := s.standing(v); (standing.FullAt != nil) != want {
		s.Errorf("%s: proof at %v, want one: %v", what, standing.FullAt, want)
	}
}

// enrolled is a user with a passkey, verified in the session of the visit.
func (s shop) enrolled(user string) (stepkey.Visit, stepkey.Caller, *authenticator.Authenticator) {
	s.Helper()
	v, device := s.visit(user, "session of "+user), authenticator.New(authenticator.Config{})
	c := s.enter(v)
	if _, err := s.add(c, device); err != nil {
		s.Fatal(err)
	}
	if _, err := s.verify(c, device); err != nil {
		s.Fatal(err)
	}
	return v, c, device
}

func TestRealmVerifiesAPasskey(t *testing.T) {
	inShop(t, func(s shop) {
		v, device := s.visit("42", "a"), authenticator.New(authenticator.Config{})
		if standing := s.standing(v); standing != (stepkey.Standing{}) {
			s.Errorf("before: %+v, want nothing", standing)
		}
		wantError(s, "a caller who never entered", second(s.realm.Caller(s.Context(), v)), stepkey.ErrUnauthorized)
		c := s.enter(v)
		wantError(s, "a step-up without a passkey", second(s.realm.BeginStepUp(s.Context(), c, "payout", nil)), stepkey.ErrNoPasskeys)
		p, err := s.add(c, device)
		if err != nil {
			s.Fatal(err)
		}
		s.wantProof("added", v, false)
		again, err := s.realm.Caller(s.Context(), v)
		if err != nil {
			s.Fatalf("Caller: %+v, %v", again, err)
		}
		proof, err := s.verify(again, device)
		if err != nil || proof != (stepkey.Proof{Passkey: p.ID, At: s.clock.Now().UTC().Truncate(time.Microsecond)}) {
			s.Fatalf("FinishStepUp: %+v, %v", proof, err)
		}
		standing := s.standing(v)
		if standing.FullAt == nil || !standing.FullAt.Equal(proof.At) || standing.FullPasskeyID != p.ID || !standing.UsablePasskeys {
			s.Errorf("verified: %+v", standing)
		}
		s.wantProof("another session", s.visit("42", "b"), false)
		s.wantProof("another user with the same session value", s.visit("43", "a"), false)
		s.enter(s.visit("43", "a")) // not refused as a session of somebody else
		later := v
		later.SignedInAt = v.SignedInAt.Add(time.Second)
		s.wantProof("a new sign-in with the same session value", later, false)

		s.clock.Advance(12*time.Hour - time.Microsecond)
		s.wantProof("just under 12 hours later", v, true)
		s.clock.Advance(time.Microsecond)
		s.wantProof("12 hours later", v, false)
	})
}

// The password is never enough for another passkey, in either half.
func TestRealmFurtherPasskeysNeedAPasskey(t *testing.T) {
	inShop(t, func(s shop) {
		v, c, device := s.enrolled("42")
		s.clock.Advance(stepkey.FullWindow / 2) // a challenge lasts as long as the proof
		begun, err := s.realm.BeginRegistration(s.Context(), c)
		if err != nil {
			s.Fatal(err)
		}
		thief := authenticator.New(authenticator.Config{})
		response := s.created(thief, s.marshal(begun))
		s.clock.Advance(stepkey.FullWindow/2 + time.Microsecond)
		var stale *stepkey.StepUpRequiredError
		if _, err := s.realm.FinishRegistration(s.Context(), c, response, ""); !errors.As(err, &stale) {
			s.Errorf("finished with an old proof: %v", err)
		}
		elsewhere := s.enter(s.visit("42", "the thief's"))
		passkeys, err := s.realm.Passkeys(s.Context(), "42")
		if err != nil || len(passkeys) != 1 {
			s.Fatalf("Passkeys: %v, %v", passkeys, err)
		}
		for _, row := range []struct {
			name string
			err  error
		}{
			{"add", second(s.realm.BeginRegistration(s.Context(), elsewhere))},
			{"rename", s.realm.RenamePasskey(s.Context(), elsewhere, passkeys[0].ID, "mine")},
			{"delete", s.realm.DeletePasskey(s.Context(), elsewhere, passkeys[0].ID, true)},
			{"codes", second(s.realm.ReplaceRecoveryCodes(s.Context(), elsewhere))},
		} {
			if !errors.As(row.err, &stale) {
				s.Errorf("%s with the password alone: %v, want StepUpRequiredError", row.name, row.err)
			}
		}
		if _, err := s.verify(c, device); err != nil {
			s.Fatal(err)
		}
		s.clock.Advance(-time.Hour)
		s.wantProof("after the clock was set back", v, true)
		if _, err := s.realm.BeginRegistration(s.Context(), c); !errors.As(err, &stale) {
			s.Errorf("a proof from the future: %v, want StepUpRequiredError", err)
		}
	})
}

// A session that was left open does not suffice for the first passkey, in either half.
func TestRealmFirstPasskeyNeedsAFreshPassword(t *testing.T) {
	inShop(t, func(s shop) {
		v := s.visit("42", "a")
		c, device := s.enter(v), authenticator.New(authenticator.Config{})
		begun, err := s.realm.BeginRegistration(s.Context(), c)
		if err != nil {
			s.Fatal(err)
		}
		response := s.created(device, s.marshal(begun))
		s.clock.Advance(stepkey.FirstPasskeyWindow + time.Microsecond)
		// The challenge lives shorter than the window, so a second one is taken.
		wantError(s, "begun 11 minutes after the password", second(s.realm.BeginRegistration(s.Context(), s.enter(v))), stepkey.ErrReauthenticationRequired)
		wantError(s, "finished then", second(s.realm.FinishRegistration(s.Context(), c, response, "")), stepkey.ErrChallengeExpired)
		fresh := v
		fresh.PasswordAt = s.clock.Now()
		if begun, err = s.realm.BeginRegistration(s.Context(), s.enter(fresh)); err != nil {
			s.Fatalf("after the password was verified again: %v", err)
		}
		response = s.created(device, s.marshal(begun))
		s.clock.Advance(time.Minute)
		stale := v // the application no longer says that the password was verified
		s.enter(stale)
		wantError(s, "finished without it", second(s.realm.FinishRegistration(s.Context(), c, response, "")), stepkey.ErrReauthenticationRequired)
		remembered := s.visit("43", "b")
		remembered.PasswordAt = time.Time{}
		wantError(s, "a remembered session", second(s.add(s.enter(remembered), device)), stepkey.ErrReauthenticationRequired)
	})
}

// A challenge belongs to one user in one session, even if the application names another user afterwards.
func TestRealmChallengeOfAnotherSession(t *testing.T) {
	inShop(t, func(s shop) {
		_, c, device := s.enrolled("42")
		_, other, _ := s.enrolled("43")
		options, err := s.realm.BeginStepUp(s.Context(), c, "payout", nil)
		if err != nil {
			s.Fatal(err)
		}
		response := s.got(device, s.marshal(options))
		sameUser := s.enter(s.visit("42", "another"))
		wantError(s, "another user", second(s.realm.FinishStepUp(s.Context(), other, response)), stepkey.ErrChallengeExpired)
		wantError(s, "another session", second(s.realm.FinishStepUp(s.Context(), sameUser, response)), stepkey.ErrChallengeExpired)
	})
}

func TestRealmOneProofOf64Replays(t *testing.T) {
	inShop(t, func(s shop) {
		_, c, device := s.enrolled("42")
		options, err := s.realm.BeginStepUp(s.Context(), c, "payout", nil)
		if err != nil {
			s.Fatal(err)
		}
		response := s.got(device, s.marshal(options))
		var wg sync.WaitGroup
		errs := make([]error, 64)
		for i := range errs {
			wg.Go(func() { _, errs[i] = s.realm.FinishStepUp(s.Context(), c, response) })
		}
		wg.Wait()
		if n := len(slices.DeleteFunc(errs, func(err error) bool { return err != nil })); n != 1 {
			s.Errorf("%d of 64 succeeded, want 1", n)
		}
	})
}

func TestRealmSignOutIsForEver(t *testing.T) {
	inShop(t, func(s shop) {
		v, c, device := s.enrolled("42")
		options, err := s.realm.BeginStepUp(s.Context(), c, "payout", nil)
		if err != nil {
			s.Fatal(err)
		}
		response := s.got(device, s.marshal(options))
		for range 2 {
			if err := s.realm.SignOut(s.Context(), v); err != nil {
				s.Fatal(err)
			}
		}
		s.wantProof("after SignOut", v, false)
		wantError(s, "a verification under way", second(s.realm.FinishStepUp(s.Context(), c, response)), stepkey.ErrUnauthorized)
		wantError(s, "a copied cookie", second(s.realm.Enter(s.Context(), v)), stepkey.ErrSessionOver)

		never := s.visit("44", "never entered")
		if err := s.realm.SignOut(s.Context(), never); err != nil {
			s.Fatal(err)
		}
		wantError(s, "a copied cookie of a session that was never here", second(s.realm.Enter(s.Context(), never)), stepkey.ErrSessionOver)

		anew := s.visit("42", "a new sign-in")
		if _, err := s.verify(s.enter(anew), device); err != nil {
			s.Errorf("a new sign-in: %v", err)
		}
	})
}

func TestRealmEndProofs(t *testing.T) {
	inShop(t, func(s shop) {
		v, c, device := s.enrolled("42")
		options, err := s.realm.BeginStepUp(s.Context(), c, "payout", nil)
		if err != nil {
			s.Fatal(err)
		}
		response := s.got(device, s.marshal(options))
		if err := s.realm.EndProofs(s.Context(), nil, "42"); err != nil {
			s.Fatal(err)
		}
		s.wantProof("after EndProofs", v, false)
		wantError(s, "a verification that was under way", second(s.realm.FinishStepUp(s.Context(), c, response)), stepkey.ErrUnauthorized)
		if _, err := s.verify(s.enter(v), device); err != nil {
			s.Errorf("a new verification in the same session: %v", err)
		}
		s.wantProof("verified again", v, true)
	})
}

// Removing a passkey takes the proofs that rest on it and leaves the application's sessions.
func TestRealmRemovedPasskey(t *testing.T) {
	inShop(t, func(s shop) {
		v, c, device := s.enrolled("42")
		other := s.visit("42", "another")
		if _, err := s.verify(s.enter(other), device); err != nil {
			s.Fatal(err)
		}
		passkeys, err := s.realm.Passkeys(s.Context(), "42")
		if err != nil {
			s.Fatal(err)
		}
		wantError(s, "the last one", s.realm.DeletePasskey(s.Context(), c, passkeys[0].ID, false), stepkey.ErrLastPasskey)
		if err := s.realm.DeletePasskey(s.Context(), c, passkeys[0].ID, true); err != nil {
			s.Fatal(err)
		}
		for _, v := range []stepkey.Visit{v, other} {
			s.wantProof("after the passkey was removed", v, false)
			if _, err := s.realm.Enter(s.Context(), v); err != nil {
				s.Errorf("its session ended: %v", err)
			}
		}
	})
}

func TestRealmForgets(t *testing.T) {
	inShop(t, func(s shop) {
		v, _, device := s.enrolled("42")
		for range 2 {
			if err := s.realm.Forget(s.Context(), nil, "42"); err != nil {
				s.Fatal(err)
			}
		}
		s.wantProof("forgotten", v, false)
		successor := s.enter(s.visit("42", "of somebody else"))
		wantError(s, "the old passkey", second(s.realm.BeginStepUp(s.Context(), successor, "payout", nil)), stepkey.ErrNoPasskeys)
		own := authenticator.New(authenticator.Config{})
		if _, err := s.add(successor, own); err != nil {
			s.Fatal(err)
		}
		options, err := s.realm.BeginStepUp(s.Context(), successor, "payout", nil)
		if err != nil {
			s.Fatal(err)
		}
		if _, err := device.Get(origin, s.marshal(options)); err == nil {
			s.Error("the old device answers for the new user")
		}
	})
}

// Two applications on one store know nothing of each other, nor of the service's users.
func TestRealmsAreApart(t *testing.T) {
	inShop(t, func(s shop) {
		v, c, _ := s.enrolled("42")
		blog := shop{s.fixture, s.newRealm(s.realmConfig("blog"))}
		blog.wantProof("the same key in another realm", v, false)
		wantError(s, "a caller of another realm", second(blog.realm.BeginRegistration(s.Context(), c)), stepkey.ErrUnauthorized)
		_, _, err := s.service.Sessions(s.Context(), c, nil, 1)
		wantError(s, "a caller of a realm at the service", err, stepkey.ErrUnauthorized)
		s.signUp("mira")
		wantError(s, "a caller of the service in a realm", second(s.realm.BeginRegistration(s.Context(), s.logIn("mira"))), stepkey.ErrUnauthorized)

		other := s.realmConfig("shop")
		other.Secret = sharedSecret
		wantError(s, "another secret", second(stepkey.NewRealm(s.Context(), other)), stepkey.ErrOtherSecret)
		other = s.realmConfig("shop")
		other.RPID = "example.com"
		wantError(s, "another domain", second(stepkey.NewRealm(s.Context(), other)), stepkey.ErrOtherRPID)
		other = s.realmConfig("Shop!")
		if _, err := stepkey.NewRealm(s.Context(), other); err == nil || !strings.Contains(err.Error(), "RealmConfig.Name") {
			s.Errorf("a bad name: %v", err)
		}
	})
}

// Failing on purpose ends the session in which it is done, and no other.
func TestRealmFailuresEndOneSession(t *testing.T) {
	inShop(t, func(s shop) {
		v, _, device := s.enrolled("42")
		thiefs := s.visit("42", "the thief's")
		c := s.enter(thiefs)
		var last error
		for range 11 {
			options, err := s.realm.BeginStepUp(s.Context(), c, "payout", nil)
			if err != nil {
				last = err
				break
			}
			response := s.got(device, s.marshal(options))
			response.Response.Signature[8] ^= 1
			last = second(s.realm.FinishStepUp(s.Context(), c, response))
		}
		if !errors.Is(last, stepkey.ErrUnauthorized) && !errors.Is(last, stepkey.ErrVerificationFailed) {
			s.Errorf("the last of 11: %v", last)
		}
		wantError(s, "the session that failed", second(s.realm.Enter(s.Context(), thiefs)), stepkey.ErrSessionOver)
		s.wantProof("the owner's session", v, true)
	})
}
