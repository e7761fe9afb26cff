package stepkey_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/ceremony"
	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/storage"
)

// The hash of the fixture's password, at bcrypt's least cost, and of no password.
const (
	oldHash = "$2b$04$Z6OH/tIa3dJcbX9AjaxdVu7oXi5J13OCqB0zrSf/q56oeMYWzIEzC"
	anyHash = "$2b$04$abcdefghijklmnopqrstuuCi15uRb1eH7NAlJ/TgeJertyknQpYn2"
)

// elsewhere makes a passkey at another service for the same domain, with the text of
// the user's id as handle, and returns it as that service would store it.
func (f *fixture) elsewhere(device *authenticator.Authenticator, id uuid.UUID) stepkey.PortablePasskey {
	f.Helper()
	rp, err := ceremony.New(ceremony.Config{RPID: "app.example.com", RPName: "Elsewhere", Origins: []string{origin}})
	if err != nil {
		f.Fatal(err)
	}
	owner := ceremony.User{Handle: []byte(id.String()), Name: "somebody", DisplayName: "somebody"}
	options, state, err := rp.BeginRegistration(owner, nil)
	if err != nil {
		f.Fatal(err)
	}
	c, err := rp.FinishRegistration(owner, state, f.created(device, f.marshal(options)))
	if err != nil {
		f.Fatal(err)
	}
	return stepkey.PortablePasskey{CredentialID: c.ID, PublicKey: c.PublicKey, SignCount: int64(c.SignCount)}
}

// comer is a user who comes from elsewhere.
func comer(name string) stepkey.PortableUser {
	id := uuid.New()
	return stepkey.PortableUser{ID: id, Username: name, PasswordHash: anyHash, Handle: []byte(id.String())}
}

func (f *fixture) importAll(dryRun bool, users ...stepkey.PortableUser) []stepkey.ImportResult {
	f.Helper()
	results, err := f.service.Admin().NewImporter(dryRun).Import(f.Context(), users)
	if err != nil {
		f.Fatal(err)
	}
	return results
}

func (f *fixture) exported() []stepkey.PortableUser {
	f.Helper()
	users, err := f.service.Admin().Export(f.Context(), uuid.Nil, 1000)
	if err != nil {
		f.Fatal(err)
	}
	return users
}

func (f *fixture) wantResults(what string, got []stepkey.ImportResult, want ...stepkey.ImportResult) {
	f.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func addedWith(passkeys int) stepkey.ImportResult {
	return stepkey.ImportResult{Status: stepkey.ImportAdded, Passkeys: passkeys}
}

func leftOut(p stepkey.ImportProblem) stepkey.ImportResult {
	return stepkey.ImportResult{Status: stepkey.ImportLeftOut, Problem: p}
}

func TestImportedUserSignsInAndStepsUp(t *testing.T) {
	onBoth(t, func(f *fixture) {
		for _, test := range []struct {
			name   string
			config authenticator.Config
		}{
			{"synced", authenticator.Config{BackupEligible: true, BackedUp: true}},
			{"counting", authenticator.Config{CounterStep: 1}},
		} {
			u, device := comer(" "+strings.ToUpper(test.name)), authenticator.New(test.config)
			u.PasswordHash = oldHash
			u.Passkeys = []stepkey.PortablePasskey{f.elsewhere(device, u.ID)}
			f.wantResults("import", f.importAll(false, u), addedWith(1))

			claims := f.logIn(test.name)
			options := f.stepUpOptions(claims)
			response := f.got(device, options)
			if string(response.Response.UserHandle) != u.ID.String() {
				f.Fatalf("the authenticator returns the handle %q, want the id's text", response.Response.UserHandle)
			}
			granted, err := f.service.FinishStepUp(f.Context(), claims, response)
			if err != nil || !granted.Claims.PasskeyVerified {
				f.Fatalf("%s: step-up: %v", test.name, err)
			}
			f.stepUp(claims, device)
			kept, err := f.store.UserByName(f.Context(), test.name)
			if err != nil || !strings.HasPrefix(kept.PasswordHash, "$argon2id$") || kept.Username != strings.ToUpper(test.name) {
				f.Errorf("after the login %q has %q, %v", kept.Username, kept.PasswordHash, err)
			}
			f.logIn(test.name)
		}
		if n := f.events(storage.EventUserImported); n != 2 {
			f.Errorf("%d events of imports, want 2", n)
		}
	})
}

func TestDisabledUserArrivesDisabled(t *testing.T) {
	f := newFixture(t)
	u := comer("mira")
	u.PasswordHash, u.DisabledAt = oldHash, new(f.clock.Now())
	f.wantResults("import", f.importAll(false, u), addedWith(0))
	_, err := f.service.LogIn(t.Context(), stepkey.LogInRequest{Username: "mira", Password: password})
	wantError(t, "login", err, stepkey.ErrInvalidCredentials)
}

// Run again, an import changes nothing: not what users did since, either.
func TestImportAgainChangesNothing(t *testing.T) {
	onBoth(t, func(f *fixture) {
		mira, noor := comer("mira"), comer("noor")
		mira.PasswordHash = oldHash
		device := authenticator.New(authenticator.Config{})
		mira.Passkeys = []stepkey.PortablePasskey{f.elsewhere(device, mira.ID), f.elsewhere(authenticator.New(authenticator.Config{}), mira.ID)}
		f.importAll(false, mira, noor)
		f.logIn("mira")
		f.exec(`DELETE FROM passkeys WHERE credential_id = $1`, mira.Passkeys[1].CredentialID)
		before := f.exported()

		olga := comer("olga")
		present := stepkey.ImportResult{Status: stepkey.ImportPresent}
		for _, dryRun := range []bool{true, false} {
			f.wantResults("second import", f.importAll(dryRun, olga, mira, noor), addedWith(0), present, present)
			if dryRun {
				if diff := cmp.Diff(before, f.exported()); diff != "" {
					f.Errorf("a dry run changed (-want +got):\n%s", diff)
				}
			}
		}
		after := map[uuid.UUID]stepkey.PortableUser{}
		for _, u := range f.exported() {
			after[u.ID] = u
		}
		delete(after, olga.ID)
		want := map[uuid.UUID]stepkey.PortableUser{}
		for _, u := range before {
			want[u.ID] = u
		}
		if diff := cmp.Diff(want, after); diff != "" {
			f.Errorf("a second import changed (-want +got):\n%s", diff)
		}
	})
}

func TestImportLeavesOut(t *testing.T) {
	onBoth(t, func(f *fixture) {
		f.signUp("mira")
		first := comer("Noor")
		with := func(edit func(u *stepkey.PortableUser)) stepkey.PortableUser {
			u := comer("u" + uuid.NewString()[:8])
			edit(&u)
			return u
		}
		users := []stepkey.PortableUser{
			first,
			with(func(u *stepkey.PortableUser) { u.Username = " nOOR " }),
			with(func(u *stepkey.PortableUser) { u.Username = "ＮＯＯＲ" }),
			with(func(u *stepkey.PortableUser) { u.Username = "MIRA" }),
			with(func(u *stepkey.PortableUser) { u.Username = "two words" }),
			with(func(u *stepkey.PortableUser) { u.Username = "nul\x00" }),
			with(func(u *stepkey.PortableUser) { u.ID = uuid.Nil }),
			with(func(u *stepkey.PortableUser) { u.ID = first.ID }),
			with(func(u *stepkey.PortableUser) { u.PasswordHash = "" }),
			with(func(u *stepkey.PortableUser) { u.PasswordHash = "correct horse battery" }),
			with(func(u *stepkey.PortableUser) { u.PasswordHash = "$6$salt$hash" }),
			with(func(u *stepkey.PortableUser) { u.PasswordHash = strings.Replace(anyHash, "$04$", "$31$", 1) }),
			with(func(u *stepkey.PortableUser) { u.Handle = make([]byte, 65) }),
			with(func(u *stepkey.PortableUser) { u.Handle = first.Handle }),
			with(func(u *stepkey.PortableUser) { u.Handle, u.Passkeys = nil, make([]stepkey.PortablePasskey, 1) }),
			with(func(u *stepkey.PortableUser) { u.Handle = nil }),
		}
		want := []stepkey.ImportResult{
			addedWith(0),
			leftOut(storage.ProblemUsernameTwice),
			leftOut(storage.ProblemUsernameTwice),
			leftOut(storage.ProblemUsernameTaken),
			leftOut(storage.ProblemUsername),
			leftOut(storage.ProblemUsername),
			leftOut(storage.ProblemID),
			leftOut(storage.ProblemIDTwice),
			leftOut(storage.ProblemHashMalformed),
			leftOut(storage.ProblemHashMalformed),
			leftOut(storage.ProblemHashUnsupported),
			leftOut(storage.ProblemHashExcessive),
			leftOut(storage.ProblemHandle),
			leftOut(storage.ProblemHandleTwice),
			leftOut(storage.ProblemHandleMissing),
			addedWith(0),
		}
		f.wantResults("dry run", f.importAll(true, users...), want...)
		f.wantResults("import", f.importAll(false, users...), want...)
		names := map[string]int{}
		for _, u := range f.exported() {
			names[u.Username] = len(u.Handle)
		}
		wantNames := map[string]int{"mira": 64, "Noor": 36, users[15].Username: 64}
		if diff := cmp.Diff(wantNames, names); diff != "" {
			f.Errorf("users and the lengths of their handles (-want +got):\n%s", diff)
		}

		thief := comer("pia")
		thief.Handle = first.Handle
		f.wantResults("handle of somebody", f.importAll(false, thief), leftOut(storage.ProblemHandleTaken))
	})
}

// Over several batches of one import the same holds, in a dry run too.
func TestImportSeesCollisionsBetweenBatches(t *testing.T) {
	f := newFixture(t)
	for _, dryRun := range []bool{true, false} {
		im := f.service.Admin().NewImporter(dryRun)
		for i, want := range []stepkey.ImportResult{addedWith(0), leftOut(storage.ProblemUsernameTwice)} {
			results, err := im.Import(t.Context(), []stepkey.PortableUser{comer([]string{"mira", "Mira"}[i])})
			if err != nil {
				t.Fatal(err)
			}
			f.wantResults(fmt.Sprintf("dry run %v, batch %d", dryRun, i), results, want)
		}
	}
	_, err := f.service.Admin().NewImporter(true).Import(t.Context(), make([]stepkey.PortableUser, stepkey.MaxImportBatch+1))
	wantError(t, "a batch too large", err, stepkey.ErrInvalidRequest)
}

func TestImportLeavesPasskeysOut(t *testing.T) {
	onBoth(t, func(f *fixture) {
		owner := comer("owner")
		owner.Passkeys = []stepkey.PortablePasskey{f.elsewhere(authenticator.New(authenticator.Config{}), owner.ID)}
		f.importAll(false, owner)

		u := comer("mira")
		good := f.elsewhere(authenticator.New(authenticator.Config{}), u.ID)
		with := func(edit func(p *stepkey.PortablePasskey)) stepkey.PortablePasskey {
			p := good
			id := uuid.New()
			p.CredentialID = bytes.Repeat(id[:], 2)
			edit(&p)
			return p
		}
		u.Passkeys = []stepkey.PortablePasskey{
			with(func(p *stepkey.PortablePasskey) { p.SignCount = -1 }),
			with(func(p *stepkey.PortablePasskey) { p.SignCount = 1 << 32 }),
			with(func(p *stepkey.PortablePasskey) { p.CredentialID = owner.Passkeys[0].CredentialID }),
			with(func(p *stepkey.PortablePasskey) { p.CredentialID = p.CredentialID[:15] }),
			with(func(p *stepkey.PortablePasskey) { p.PublicKey = p.PublicKey[1:] }),
			with(func(p *stepkey.PortablePasskey) { p.Flags = authenticator.FlagUP | authenticator.FlagBS }),
			good,
			good,
			with(func(p *stepkey.PortablePasskey) { p.SignCount, p.Name = 1<<32-1, strings.Repeat("ä", 99)+"\x00" }),
		}
		for len(u.Passkeys) < 9+stepkey.MaxPasskeys {
			u.Passkeys = append(u.Passkeys, with(func(*stepkey.PortablePasskey) {}))
		}
		want := addedWith(stepkey.MaxPasskeys - 1) // the one that is somebody's has taken a place
		want.LeftOut = map[int]stepkey.ImportProblem{
			0: storage.ProblemSignCount,
			1: storage.ProblemSignCount,
			2: storage.ProblemCredentialIDTaken,
			3: storage.ProblemCredentialID,
			4: storage.ProblemPublicKey,
			5: storage.ProblemFlags,
			7: storage.ProblemCredentialIDTwice,
		}
		maps.Copy(want.LeftOut, map[int]stepkey.ImportProblem{
			26: storage.ProblemTooManyPasskeys, 27: storage.ProblemTooManyPasskeys, 28: storage.ProblemTooManyPasskeys,
		})
		f.wantResults("dry run", f.importAll(true, u), want)
		f.wantResults("import", f.importAll(false, u), want)
		for _, e := range f.exported() {
			if e.ID == owner.ID && !bytes.Equal(e.Passkeys[0].PublicKey, owner.Passkeys[0].PublicKey) {
				f.Error("the owner's passkey changed")
			}
			for _, p := range e.Passkeys {
				if p.SignCount == 1<<32-1 && p.Name != strings.Repeat("ä", 64) {
					f.Errorf("the long name became %q", p.Name)
				}
			}
		}
	})
}

// An address that is none, or that nobody is known to have confirmed, is left out and
// its user is not.
func TestImportLeavesAddressesOut(t *testing.T) {
	onBoth(t, func(f *fixture) {
		confirmed := f.clock.Now().Add(-time.Hour).Truncate(time.Second)
		with := func(name, address string, at time.Time) stepkey.PortableUser {
			u := comer(name)
			u.Email = &stepkey.ConfirmedEmail{Address: address, ConfirmedAt: at}
			return u
		}
		users := []stepkey.PortableUser{
			with("mira", "Mira@example.com", confirmed),
			with("noor", "mira@example.com", confirmed), // two accounts may have one
			with("olga", "Olga <olga@example.com>", confirmed),
			with("pia", "pia@example.com\r\nBcc: mallory@example.com", confirmed),
			with("quin", "", confirmed),
			with("rosa", "rosa@example.com", time.Time{}),
			comer("sara"),
		}
		without := func(p stepkey.ImportProblem) stepkey.ImportResult {
			return stepkey.ImportResult{Status: stepkey.ImportAdded, Email: p}
		}
		want := []stepkey.ImportResult{
			addedWith(0), addedWith(0), without(storage.ProblemEmail), without(storage.ProblemEmail),
			without(storage.ProblemEmail), without(storage.ProblemEmailUnconfirmed), addedWith(0),
		}
		f.wantResults("dry run", f.importAll(true, users...), want...)
		f.wantResults("import", f.importAll(false, users...), want...)
		addresses := map[string]string{}
		for _, u := range f.exported() {
			if u.Email != nil {
				addresses[u.Username] = u.Email.Address
				if !u.Email.ConfirmedAt.Equal(confirmed) {
					f.Errorf("%s is confirmed at %s, want %s", u.Username, u.Email.ConfirmedAt, confirmed)
				}
			}
		}
		wantAddresses := map[string]string{"mira": "Mira@example.com", "noor": "mira@example.com"}
		if diff := cmp.Diff(wantAddresses, addresses); diff != "" {
			f.Errorf("addresses (-want +got):\n%s", diff)
		}
	})
}

// An address that came along sets a new password; one that was removed stays removed.
func TestImportedAddress(t *testing.T) {
	onBoth(t, func(f *fixture) {
		box := f.withMail()
		u := comer("mira")
		u.PasswordHash = oldHash
		u.Email = &stepkey.ConfirmedEmail{Address: "mira@example.com", ConfirmedAt: f.clock.Now()}
		f.importAll(false, u)
		f.noMail(box, "an import")
		if err := f.reset(f.resetLink(box, "mira", "mira@example.com"), another); err != nil {
			f.Fatal(err)
		}
		f.clock.Advance(stepkey.RecoveryCoolOff)
		g, err := f.service.LogIn(f.Context(), stepkey.LogInRequest{Username: "mira", Password: another})
		if err != nil {
			f.Fatal(err)
		}
		if err := f.service.RemoveEmail(f.Context(), g.Caller()); err != nil {
			f.Fatal(err)
		}
		f.wantResults("import again", f.importAll(false, u), stepkey.ImportResult{Status: stepkey.ImportPresent})
		f.wantEmail("after an import again", g.Caller(), stepkey.EmailState{})
	})
}

// An export that is imported elsewhere yields the same users.
func TestExportAndImport(t *testing.T) {
	from, to := newFixture(t), newFixture(t)
	_, device := from.enrolled("mira", authenticator.Config{Transports: []string{"usb"}, BackupEligible: true, CounterStep: 2})
	from.stepUp(from.logIn("mira"), device)
	from.withEmail(from.withMail(), "noor", "Noor@example.com")
	_, _, codes := from.withCodes("sol")
	from.register(from.recovered(from.logIn("sol"), codes[0]), authenticator.New(authenticator.Config{}))
	from.exec(`UPDATE users SET password_by_mail = TRUE, password_by_mail_at = created_at WHERE canonical_name = 'sol'`)
	from.exec(`UPDATE users SET password_stopped = TRUE WHERE canonical_name = 'noor'`)
	exported := from.exported()
	if len(exported) != 3 {
		t.Fatalf("%d users exported, want 3", len(exported))
	}
	to.importAll(false, exported...)
	if diff := cmp.Diff(exported, to.exported()); diff != "" {
		t.Errorf("after import (-want +got):\n%s", diff)
	}
	sol, err := to.store.UserByName(t.Context(), "sol")
	if err != nil || sol.PasswordByMailAt == nil || !sol.PasswordByMailAt.Equal(to.clock.Now()) {
		t.Errorf("the cool-off began at %v, %v; want at the import", sol.PasswordByMailAt, err)
	}
	to.clock.Advance(time.Hour)
	to.stepUp(to.logIn("mira"), device)
}

// A store that fails in the middle of a batch leaves nothing of it behind.
func TestImportIsAllOrNothing(t *testing.T) {
	f := newFixture(t)
	config := f.config()
	config.Store = &brokenEvents{f.store}
	_, err := f.newService(config).Admin().NewImporter(false).Import(t.Context(), []stepkey.PortableUser{comer("mira")})
	wantError(t, "import", err, stepkey.ErrUnavailable)
	if users := f.exported(); len(users) != 0 {
		t.Errorf("%d users are there", len(users))
	}
	f.importAll(false, comer("mira"))
}

type brokenEvents struct{ stepkey.Store }

func (s *brokenEvents) InTx(ctx context.Context, fn func(storage.Tx) error) error {
	return s.Store.InTx(ctx, func(tx storage.Tx) error { return fn(brokenEventsTx{tx}) })
}

type brokenEventsTx struct{ storage.Tx }

func (brokenEventsTx) RecordEvents(context.Context, []stepkey.Event) error {
	return stepkey.ErrUnavailable
}
