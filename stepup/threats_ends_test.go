package stepup_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stepkey/stepkey/stepkeytest/authenticator"
	"github.com/stepkey/stepkey/stepup"
)

// ends are the ways in which an application ends proofs.
var ends = []struct {
	name string
	end  func(p person) error
}{
	{"SignOut", func(p person) error {
		return p.a.kit.SignOut(p.a.request(http.MethodPost, "/logout", nil, "Cookie", "session="+p.cookie))
	}},
	{"EndProofs", func(p person) error { return p.a.kit.EndProofs(p.a.Context(), nil, "42") }},
	{"EndProofs in a transaction", func(p person) error {
		return inTx(p.a, func(tx *sql.Tx) error { return p.a.kit.EndProofs(p.a.Context(), tx, "42") })
	}},
	{"Forget", func(p person) error { return p.a.kit.Forget(p.a.Context(), nil, "42") }},
	{"Forget in a transaction", func(p person) error {
		return inTx(p.a, func(tx *sql.Tx) error { return p.a.kit.Forget(p.a.Context(), tx, "42") })
	}},
}

// inTx runs fn in a transaction of the application's, which begins it again if SQLite finds that
// somebody wrote between its first read and its first write.
func inTx(a *app, fn func(*sql.Tx) error) error {
	for {
		if err := once(a, fn); err == nil || !strings.Contains(err.Error(), "database is locked") {
			return err
		}
	}
}

func once(a *app, fn func(*sql.Tx) error) error {
	tx, err := a.db.BeginTx(a.Context(), nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

// SQLite refuses a transaction that has read and writes after somebody else wrote. The first statement may be ours, and a
// transaction that begins as a writer may read before.
func TestEndsInADeferredTransactionOfSQLite(t *testing.T) {
	for _, test := range []struct {
		name, pool   string
		reads, fails bool
	}{
		{"deferred, ours first", "", false, false},
		{"deferred, after a read", "", true, true},
		{"immediate, after a read", "&_txlock=immediate", true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			const pragmas = "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)"
			db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+pragmas+test.pool)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			a := newApp(t, db, nil)
			for name, end := range map[string]func(context.Context, *sql.Tx, string) error{"EndProofs": a.kit.EndProofs, "Forget": a.kit.Forget} {
				owner := a.owner(name)
				var writes sync.WaitGroup
				err := once(a, func(tx *sql.Tx) error {
					if test.reads {
						var n int
						if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM stepkey_users").Scan(&n); err != nil {
							return err
						}
					}
					if test.pool == "" {
						owner.elsewhere().Call("/_stepkey/skip", struct{}{}) // somebody else writes
					} else {
						other := owner.elsewhere()
						writes.Go(func() { other.Call("/_stepkey/skip", struct{}{}) }) // waits for us
					}
					return end(t.Context(), tx, name)
				})
				writes.Wait()
				if fails := err != nil && strings.Contains(err.Error(), "database is locked"); fails != test.fails || err != nil && !fails {
					t.Errorf("%s: %v; want it refused: %v", name, err, test.fails)
				}
			}
		})
	}
}

// Rows: a cookie session is replayed after sign-out; sign-out or EndProofs during finish. The proof,
// the consent and the verification under way end, in both orders and at the same time.
func TestThreatEndsDuringFinish(t *testing.T) {
	for _, way := range ends {
		t.Run(way.name, func(t *testing.T) {
			onBothWays(t, nil, func(a *app) {
				end := func(p person) {
					a.Helper()
					if err := way.end(p); err != nil {
						a.Fatal(err)
					}
				}
				p := a.owner("42")
				p.verifies()
				a.wantPass("before", p.Client, true)
				_, action := p.sealed("/transfer", "amount=1&to=Ada")
				p.finish(p.asserted(action))
				underWay := p.asserted("")
				end(p)
				a.wantPass("a copied cookie", p.copied(), false)
				a.want("an action that was confirmed before", p.Client, p.Do(a.posts("/transfer", "amount=1&to=Ada")), http.StatusUnauthorized, "data-state")
				if answer := p.finish(underWay); answer.StatusCode == http.StatusOK {
					a.Error("a verification that was under way was finished")
				}
				p.Call("/_stepkey/begin", map[string]string{"purpose": "payout"}) // enters the session once more
				a.wantPass("after that", p.Client, false)
				a.want("the action after that", p.Client, p.Do(a.posts("/transfer", "amount=1&to=Ada")), http.StatusUnauthorized, "data-state")

				again := a.arrives("42")
				if strings.HasPrefix(way.name, "Forget") {
					again.add()
				} else {
					again.device = p.device
				}
				body := again.asserted("")
				var wg sync.WaitGroup
				wg.Go(func() { again.finish(body) })
				wg.Go(func() {
					if err := way.end(again); err != nil {
						a.Errorf("%s: %v", way.name, err)
					}
				})
				wg.Wait()
				a.wantPass("finish and end at the same time", again.Client, false)
			})
		})
	}
}

// A session that signed out never verifies again, even one that was never used here.
func TestThreatSessionReplayedAfterSignOut(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		owner := a.owner("42")
		fresh := owner.elsewhere()
		for _, p := range []person{owner, fresh} {
			for range 2 {
				if err := a.kit.SignOut(a.request(http.MethodPost, "/logout", nil, "Cookie", "session="+p.cookie)); err != nil {
					a.Fatal(err)
				}
			}
			a.wantCode("begin", p.Client, p.Call("/_stepkey/begin", map[string]string{"purpose": "payout"}), http.StatusUnauthorized, "unauthorized")
			a.wantCode("add", p.Client, p.Call("/_stepkey/add/begin", struct{}{}), http.StatusUnauthorized, "unauthorized")
		}
		owner.elsewhere().verifies()
	})
}

// Row: the session value is fixed, constant or shared.
func TestThreatSessionValueShared(t *testing.T) {
	onBothWays(t, nil, func(a *app) {
		owner := a.owner("42")
		owner.verifies()
		a.owner("43")
		a.wantPass("the owner", owner.Client, true)
		for _, test := range []struct {
			name   string
			change func(id *stepup.Identity)
			pass   bool
		}{
			{"a new sign-in", func(id *stepup.Identity) { id.SignedInAt = id.SignedInAt.Add(time.Second) }, false},
			{"an earlier sign-in", func(id *stepup.Identity) { id.SignedInAt = id.SignedInAt.Add(-time.Second) }, false},
			{"a remembered session", func(id *stepup.Identity) { id.SignedInAt = time.Time{} }, false},
			{"another user", func(id *stepup.Identity) { id.User = "43" }, false},
			{"a key with the next byte of the value", func(id *stepup.Identity) { id.User, id.Session = "42v", id.Session[1:] }, false},
			{"no value", func(id *stepup.Identity) { id.Session = "" }, false},
			{"another name", func(id *stepup.Identity) { id.Name, id.DisplayName = "new", "\xff\x00" }, true},
		} {
			other, cookie := a.signIn("42")
			id := a.identity(owner.cookie)
			test.change(&id)
			a.setIdentity(cookie, &id)
			answer := other.Do(a.request(http.MethodGet, "/payouts", nil))
			if (answer.StatusCode == http.StatusOK) != test.pass {
				a.Errorf("%s: %d, want a pass: %v", test.name, answer.StatusCode, test.pass)
			}
		}
	})
}

// The same row: people who share a value, by mistake or on purpose, have separate sessions here, and end only their own.
func TestThreatSessionsThatShareAValueAreApart(t *testing.T) {
	onBothWays(t, nil, func(a *app) {
		owner := a.owner("42")
		owner.verifies()
		shared := a.identity(owner.cookie).Session
		for user, value := range map[string]string{"43": shared, "42v": strings.TrimPrefix(shared, "v")} {
			other := a.arrives(user)
			change(a, other.cookie, func(id *stepup.Identity) { id.Session = value })
			a.wantCode("adding a passkey", other.Client, other.add(), http.StatusOK, "")
			other.verifies()
			a.wantPass("the other user", other.Client, true)
			if err := a.kit.SignOut(a.request(http.MethodPost, "/logout", nil, "Cookie", "session="+other.cookie)); err != nil {
				a.Fatal(err)
			}
			a.wantPass("the other user, signed out", other.Client, false)
			a.wantPass("the owner", owner.Client, true)
		}
		owner.verifies()
	})
}

// Row: Identify changes the user midway.
func TestThreatUserChangesMidway(t *testing.T) {
	onBoth(t, nil, func(a *app) {
		mira, otto := a.owner("42"), a.owner("43")
		body := mira.asserted("")
		another := mira
		another.device = authenticator.New(authenticator.Config{})
		mira.verifies()
		registration := another.created()
		id := a.identity(otto.cookie)
		a.setIdentity(mira.cookie, &id)
		a.wantCode("another user finishes", mira.Client, mira.finish(body), http.StatusBadRequest, "challenge_expired")
		otto.verifies()
		a.wantCode("another user finishes to add", mira.Client, mira.Call("/_stepkey/add/finish", registration), http.StatusBadRequest, "challenge_expired")
		for user, want := range map[string]int{"42": 1, "43": 1} {
			if list, err := a.kit.Passkeys(a.Context(), user); err != nil || len(list) != want {
				a.Errorf("%s has %d passkeys, %v; want %d", user, len(list), err, want)
			}
		}
	})
}

// Row: a key is used again after deletion; "a" for "A".
func TestThreatKeyUsedAgain(t *testing.T) {
	onBothWays(t, nil, func(a *app) {
		old := a.owner("a")
		old.verifies()
		for _, key := range []string{"A", "a ", "a\x00", "á", "\xff", strings.Repeat("k", 255)} {
			p := a.arrives(key)
			a.wantCode(fmt.Sprintf("%.8q has no passkey", key), p.Client, p.Call("/_stepkey/begin", map[string]string{"purpose": "payout"}), http.StatusConflict, "no_passkeys")
			p.add()
			p.verifies()
			a.wantPass("its own passkey", p.Client, true)
		}
		if err := a.kit.Forget(a.Context(), nil, "a"); err != nil {
			a.Fatal(err)
		}
		a.wantPass("the old session", old.Client, false)
		next := a.arrives("a")
		next.device = old.device
		a.wantCode("the old device", next.Client, next.Call("/_stepkey/begin", map[string]string{"purpose": "payout"}), http.StatusConflict, "no_passkeys")
		successor := a.owner("a")
		if _, err := old.device.Get(a.url, successor.options("begin", map[string]string{"purpose": "payout"})); err == nil {
			a.Error("the old device answers for the new user")
		}
	})
}

// Row: the proof of a removed passkey.
func TestThreatProofOfARemovedPasskey(t *testing.T) {
	onBothWays(t, nil, func(a *app) {
		owner := a.owner("42")
		other := owner.elsewhere()
		owner.verifies()
		other.verifies()
		_, action := other.sealed("/transfer", "amount=1&to=Ada")
		other.finish(other.asserted(action))
		underWay := other.asserted("")
		for _, p := range []person{owner, other} {
			a.wantPass("before", p.Client, true)
		}
		path := "/_stepkey/passkeys/" + owner.passkeyID()
		a.wantCode("without last", owner.Client, owner.Call(path, map[string]any{"delete": true}), http.StatusConflict, "last_passkey")
		a.wantCode("removing it", owner.Client, owner.Call(path, map[string]any{"delete": true, "last": true}), http.StatusOK, "")
		for _, p := range []person{owner, other} {
			a.wantPass("after", p.Client, false)
		}
		if answer := other.finish(underWay); answer.StatusCode == http.StatusOK {
			a.Error("a verification with it was finished")
		}
		a.want("an action that it confirmed", other.Client, other.Do(a.posts("/transfer", "amount=1&to=Ada")), http.StatusUnauthorized, "data-state")
	})
}

// Row: the clock is set back, or SignedInAt lies ahead.
func TestThreatClockJumps(t *testing.T) {
	onBothWays(t, func(c *stepup.Config) {
		c.Purposes = append(c.Purposes, stepup.Purpose{Name: "login", Rule: stepup.Password.Within(time.Minute)})
	}, func(a *app) {
		owner := a.owner("42")
		owner.verifies()
		_, action := owner.sealed("/transfer", "amount=1&to=Ada")
		owner.finish(owner.asserted(action))
		r := a.request(http.MethodGet, "/", nil, "Cookie", "session="+owner.cookie)
		a.clock.Advance(-time.Hour)
		a.wantPass("an hour before the proof", owner.Client, false)
		if proof, ok := a.kit.Proof(r); ok {
			a.Errorf("Proof returns one from the future: %v", proof)
		}
		a.want("the action", owner.Client, owner.Do(a.posts("/transfer", "amount=1&to=Ada")), http.StatusUnauthorized, "data-state")
		a.clock.Advance(time.Hour - 4*time.Second)
		a.wantPass("4 s before the proof", owner.Client, true)
		a.clock.Advance(10*time.Minute + 5*time.Second)
		a.wantPass("10 minutes after it", owner.Client, false)
		if _, ok := a.kit.Proof(r); !ok {
			a.Error("Proof knows no old proofs")
		}
		for _, test := range []struct {
			ahead time.Duration
			meets bool
		}{{5 * time.Second, true}, {6 * time.Second, false}, {time.Hour, false}, {-time.Minute, true}, {-61 * time.Second, false}} {
			id := a.identity(owner.cookie)
			id.SignedInAt = a.clock.Now().Add(test.ahead)
			if err := a.kit.Check(a.Context(), id, "login"); (err == nil) != test.meets {
				a.Errorf("signed in %s ahead: %v, want met: %v", test.ahead, err, test.meets)
			}
		}
	})
}
