package stepkey_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// flipped answers request options with the other backup eligibility, as a password
// manager does after a change of its own.
func (f *fixture) flipped(device *authenticator.Authenticator, options []byte) stepkey.AssertionResponse {
	f.Helper()
	answer, err := device.GetWith(origin, options, authenticator.Hostile{
		AuthenticatorData: func(d *authenticator.AuthenticatorData) {
			d.Flags = d.Flags&^authenticator.FlagBS ^ authenticator.FlagBE
		},
	})
	return parsed[stepkey.AssertionResponse](f, answer, err)
}

// A passkey whose backup eligibility changes goes on working, in each of the three
// ceremonies and in both directions. The change is stored and recorded once.
func TestBackupEligibilityChanges(t *testing.T) {
	onBoth(t, func(f *fixture) {
		for _, test := range []struct {
			name string
			use  func(c stepkey.Caller, device *authenticator.Authenticator, answer answering) error
		}{
			{"step-up", func(c stepkey.Caller, device *authenticator.Authenticator, answer answering) error {
				return second(f.service.FinishStepUp(f.Context(), c, answer(device, f.stepUpOptions(c))))
			}},
			{"consent", func(c stepkey.Caller, device *authenticator.Authenticator, answer answering) error {
				options, err := f.service.BeginStepUp(f.Context(), c, &token.Action{Name: "payout"})
				if err != nil {
					return err
				}
				return second(f.service.FinishStepUp(f.Context(), c, answer(device, f.marshal(options))))
			}},
			{"sign-in", func(_ stepkey.Caller, device *authenticator.Authenticator, answer answering) error {
				return second(f.finishLogIn(answer(device, f.logInOptions())))
			}},
		} {
			for _, eligible := range []bool{false, true} {
				user := test.name
				if eligible {
					user += "-synced"
				}
				claims, device := f.enrolled(user, authenticator.Config{BackupEligible: eligible, BackedUp: eligible})
				before := f.events(storage.EventBackupChanged)
				for i := range 2 {
					if err := test.use(claims, device, f.flipped); err != nil {
						f.Errorf("%s, use %d: %v", user, i, err)
					}
				}
				if n := f.events(storage.EventBackupChanged) - before; n != 1 {
					f.Errorf("%s: %d events after two uses, want 1", user, n)
				}
				f.wantBackup(user, !eligible)
			}
		}
	})
}

type answering func(*authenticator.Authenticator, []byte) stepkey.AssertionResponse

// wantBackup checks what is stored of the user's only passkey, and the newest event of
// its change.
func (f *fixture) wantBackup(name string, eligible bool) {
	f.Helper()
	r, err := f.store.UserRecord(f.Context(), name)
	if err != nil {
		f.Fatal(err)
	}
	if got, _, known := r.Passkeys[0].Credential.Backup(); got != eligible || !known {
		f.Errorf("%s: eligible %t, known %t, want %t", name, got, known, eligible)
	}
	events, err := f.store.Events(f.Context(), r.User.ID, nil, stepkey.MaxEvents)
	if err != nil {
		f.Fatal(err)
	}
	i := slices.IndexFunc(events, func(e stepkey.Event) bool { return e.Kind == storage.EventBackupChanged })
	reason := map[bool]string{true: "can_be_synced", false: "cannot_be_synced"}[eligible]
	if i < 0 || events[i].Reason != reason || events[i].PasskeyID != r.Passkeys[0].ID {
		f.Errorf("%s: events %+v, want one for the reason %s", name, events, reason)
	}
}

// Hardware that can suddenly be synced is refused. A synced passkey of the same maker
// is not, and never passes for hardware by dropping the flag.
func TestBackupEligibilityOfAttestedPasskeys(t *testing.T) {
	onBoth(t, func(f *fixture) {
		maker, err := authenticator.NewMaker(time.Now())
		if err != nil {
			f.Fatal(err)
		}
		config := f.config()
		config.AttestationRoots = maker.Roots()
		f.service = f.newService(config)

		claims, key := f.enrolled("mira", authenticator.Config{Maker: maker})
		err = second(f.service.FinishStepUp(f.Context(), claims, f.flipped(key, f.stepUpOptions(claims))))
		wantError(f.TB, "hardware", err, stepkey.ErrVerificationFailed)
		if got := f.stepUpGrant(claims, key).Claims.Methods; !slices.Contains(got, "hwk") {
			f.Errorf("after a refused change: %v, want hwk", got)
		}

		claims, phone := f.enrolled("noor", authenticator.Config{Maker: maker, BackupEligible: true})
		for range 2 {
			granted, err := f.service.FinishStepUp(f.Context(), claims, f.flipped(phone, f.stepUpOptions(claims)))
			if err != nil {
				f.Fatal(err)
			}
			if got := granted.Claims.Methods; !slices.Contains(got, "swk") {
				f.Errorf("after dropping the flag: %v, want swk", got)
			}
		}
	})
}
