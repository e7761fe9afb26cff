package stepkey_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/memstore"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
)

// A refusal says why, to the program and not to the client.
func TestRefusedCeremoniesHaveReasons(t *testing.T) {
	f := newFixture(t)
	mira, device := f.enrolled("mira", authenticator.Config{})
	noor, other := f.enrolled("noor", authenticator.Config{})
	f.signUp("olga")
	olga := f.logIn("olga")
	nobody := uuid.Nil.String()
	elsewhere := authenticator.Hostile{IgnoreOptions: true, ClientData: func(m map[string]any) { m["origin"] = "https://evil.example" }}
	get := func(d *authenticator.Authenticator, options []byte, h authenticator.Hostile) stepkey.AssertionResponse {
		answer, err := d.GetWith(origin, options, h)
		return parsed[stepkey.AssertionResponse](f, answer, err)
	}
	signed := authenticator.Hostile{Sign: func([]byte, func([]byte) []byte) []byte { return []byte("no signature") }}

	stranger := authenticator.Hostile{IgnoreOptions: true, CredentialID: other.CredentialIDs()[0]}

	var why stepkey.CeremonyRefusal
	ctx := stepkey.WithCeremonyRefusal(t.Context(), &why)
	want := func(what string, err, kind error, reason, userID string) {
		t.Helper()
		if err != kind || why.Reason != reason || why.UserID.String() != userID {
			t.Errorf("%s: %v for %+v, want exactly %v for the reason %s, of %s", what, err, why, kind, reason, userID)
		}
		why = stepkey.CeremonyRefusal{}
	}

	_, err := f.service.FinishStepUp(ctx, mira, get(device, f.stepUpOptions(mira), elsewhere))
	want("step-up elsewhere", err, stepkey.ErrVerificationFailed, "origin", mira.Claims().Subject)
	_, err = f.service.FinishStepUp(ctx, mira, get(device, f.stepUpOptions(mira), signed))
	want("step-up with a bad signature", err, stepkey.ErrVerificationFailed, "signature", mira.Claims().Subject)
	_, err = f.service.FinishStepUp(ctx, mira, stepkey.AssertionResponse{})
	want("step-up with nothing", err, stepkey.ErrInvalidRequest, "client_data", mira.Claims().Subject)
	_, err = f.service.FinishStepUp(ctx, mira, get(other, f.stepUpOptions(mira), stranger))
	want("step-up with another's passkey", err, stepkey.ErrVerificationFailed, "unknown_credential", mira.Claims().Subject)

	answer, err := authenticator.New(authenticator.Config{}).CreateWith(origin, f.registrationOptions(olga), elsewhere)
	_, err = f.service.FinishRegistration(ctx, olga, parsed[stepkey.RegistrationResponse](f, answer, err), "")
	want("registration elsewhere", err, stepkey.ErrVerificationFailed, "origin", olga.Claims().Subject)
	_, err = f.service.FinishRegistration(ctx, olga, stepkey.RegistrationResponse{}, "\xff")
	want("registration with a name of no text", err, stepkey.ErrInvalidRequest, "device_name", nobody)

	_, err = f.service.FinishPasskeyLogIn(ctx, stepkey.PasskeyLogInRequest{Response: get(other, f.logInOptions(), signed)})
	want("sign-in with a bad signature", err, stepkey.ErrVerificationFailed, "signature", noor.Claims().Subject)
	_, err = f.service.FinishPasskeyLogIn(ctx, stepkey.PasskeyLogInRequest{Response: stepkey.AssertionResponse{}})
	want("sign-in with nothing", err, stepkey.ErrInvalidRequest, "envelope", nobody)
	f.exec(`UPDATE users SET disabled_at = created_at WHERE canonical_name = 'noor'`)
	_, err = f.service.FinishPasskeyLogIn(ctx, stepkey.PasskeyLogInRequest{Response: f.got(other, f.logInOptions())})
	want("sign-in of a disabled user", err, stepkey.ErrVerificationFailed, "user_disabled", noor.Claims().Subject)
	f.exec(`DELETE FROM passkeys`)
	_, err = f.service.FinishPasskeyLogIn(ctx, stepkey.PasskeyLogInRequest{Response: f.got(device, f.logInOptions())})
	want("sign-in with nobody's passkey", err, stepkey.ErrPasskeyUnknown, "unknown_credential", nobody)
}

// A flood of refusals makes no more rows than there are reasons, and soon no more
// statements.
func TestRefusedCeremoniesAreBounded(t *testing.T) {
	f := newFixture(t)
	config := f.config()
	config.Limiter = memstore.NewLimiter(0, f.clock.Now)
	f.service = f.newService(config)
	f.signUp("mira")
	userID := uuid.MustParse(f.logIn("mira").Claims().Subject)
	for i := range 100 {
		err := f.service.RecordRefusedCeremony(t.Context(), stepkey.RefusedCeremony{
			UserID: userID, Ceremony: stepkey.PurposeStepUp, Reason: []string{"origin", "signature"}[i%2], RequestID: "request",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	refused, err := f.store.RefusedCeremonies(t.Context(), userID)
	if err != nil || len(refused) != 2 || refused[0].Times+refused[1].Times != 25 || !refused[0].LastAt.Equal(f.clock.Now()) {
		t.Errorf("%+v, %v; want two reasons, 25 times together", refused, err)
	}
}
