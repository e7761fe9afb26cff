package stepkey_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// Only a key that a trusted maker vouched for and that cannot be synced is called
// hardware-bound, for as long as the session is full because of it.
func TestMethodsTellHardwareFromSoftware(t *testing.T) {
	onBoth(t, func(f *fixture) {
		maker, err := authenticator.NewMaker(time.Now())
		if err != nil {
			f.Fatal(err)
		}
		config := f.config()
		config.AttestationRoots = maker.Roots()
		f.service = f.newService(config)

		software := []string{"pwd", "pop", "swk", "user", "mfa", "phr"}
		hardware := []string{"pwd", "pop", "hwk", "user", "mfa", "phr", "phrh"}
		for _, test := range []struct {
			name   string
			device authenticator.Config
			want   []string
		}{
			{"key", authenticator.Config{Maker: maker}, hardware},
			{"synced", authenticator.Config{Maker: maker, BackupEligible: true}, software},
			{"unproved", authenticator.Config{}, software},
		} {
			f.signUp(test.name)
			device, granted := authenticator.New(test.device), f.logInForRefresh(test.name)
			f.register(granted.Caller(), device)
			granted = f.stepUpGrant(granted.Caller(), device)
			if diff := cmp.Diff(test.want, granted.Claims.Methods); diff != "" {
				f.Errorf("%s: methods (-want +got):\n%s", test.name, diff)
			}
			first := granted.RefreshToken
			granted = f.refresh(first)
			if diff := cmp.Diff(test.want, granted.Claims.Methods); diff != "" {
				f.Errorf("%s: methods after a refresh (-want +got):\n%s", test.name, diff)
			}
			if again := f.refresh(first); !slices.Equal(again.Claims.Methods, test.want) {
				f.Errorf("%s: methods when the refresh is repeated: %v", test.name, again.Claims.Methods)
			}
			if alone := f.passkeyLogIn(device).Claims.Methods; !slices.Equal(alone, test.want[1:]) {
				f.Errorf("%s: methods of a sign-in with it alone: %v, want all but pwd of %v", test.name, alone, test.want)
			}
		}

		// A step-up with another key says what that one is.
		f.signUp("both")
		granted := f.logInForRefresh("both")
		key := authenticator.New(authenticator.Config{Maker: maker})
		phone := authenticator.New(authenticator.Config{BackupEligible: true})
		f.register(granted.Caller(), key)
		full := f.stepUpGrant(granted.Caller(), key)
		f.register(full.Caller(), phone)
		if got := f.stepUpGrant(full.Caller(), phone).Claims.Methods; !slices.Equal(got, software) {
			f.Errorf("after a step-up with a synced passkey: %v", got)
		}
	})
}
