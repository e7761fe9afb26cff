package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stepkey/stepkey/internal/pgtest"
)

// These tests reach over the server's head into its database, to make time pass
// and to do what an operator does. PostgreSQL is the one that allows that while
// the server runs.

type database struct {
	t   *testing.T
	dsn string
}

func startWithDatabase(t *testing.T) (*client, database) {
	t.Helper()
	dsn := pgtest.NewDatabase(t)
	return newClient(t, start(t, "DATABASE_URL="+dsn)), database{t, dsn}
}

// exec runs a statement that has to change one row at least.
func (d database) exec(statement string, arguments ...any) {
	d.t.Helper()
	connection, err := pgx.Connect(context.Background(), d.dsn+"&search_path=stepkey")
	if err != nil {
		d.t.Fatal(err)
	}
	defer connection.Close(context.Background())
	result, err := connection.Exec(context.Background(), statement, arguments...)
	if err != nil {
		d.t.Fatal(err)
	}
	if result.RowsAffected() == 0 {
		d.t.Fatalf("no row for %s", statement)
	}
}

func (d database) text(query string, arguments ...any) (value string) {
	d.t.Helper()
	connection, err := pgx.Connect(context.Background(), d.dsn+"&search_path=stepkey")
	if err != nil {
		d.t.Fatal(err)
	}
	defer connection.Close(context.Background())
	if err := connection.QueryRow(context.Background(), query, arguments...).Scan(&value); err != nil {
		d.t.Fatal(err)
	}
	return value
}

func sessionOf(t *testing.T, token string) string {
	t.Helper()
	sid, _ := claimsOf(t, token)["sid"].(string)
	return sid
}

func TestChallengesExpire(t *testing.T) { // R72, A32
	c, db := startWithDatabase(t)
	token := c.signedIn()
	early := c.create(newDevice(), c.registerOptions(token))
	db.exec(`UPDATE challenges SET created_at = created_at - interval '301 s', expires_at = expires_at - interval '301 s'`)
	c.finishRegistration(token, early).wantProblem(t, 400, "challenge_expired")

	device := c.enrol(token)
	late := c.get(device, c.stepUpOptions(token))
	db.exec(`UPDATE challenges SET created_at = created_at - interval '301 s', expires_at = expires_at - interval '301 s'`)
	c.finishStepUp(token, late).wantProblem(t, 400, "challenge_expired")

	inTime := c.get(device, c.stepUpOptions(token))
	db.exec(`UPDATE challenges SET created_at = created_at - interval '240 s', expires_at = expires_at - interval '240 s'`)
	c.finishStepUp(token, inTime).accessToken(t)
}

// A first passkey needs a password that is fresh, at options and again at
// verify.
func TestFirstPasskeyNeedsAFreshPassword(t *testing.T) {
	c, db := startWithDatabase(t)
	token := c.signedIn()
	early := c.create(newDevice(), c.registerOptions(token))
	age := func(by string) {
		db.exec(`UPDATE sessions SET password_at = password_at - $2::interval WHERE id = $1`, sessionOf(t, token), by)
	}
	age("540 s")
	c.registerOptions(token)
	age("61 s")
	for _, method := range []string{"GET", "POST"} {
		c.do(method, "/passkeys/register/options", nil, bearer(token)).wantProblem(t, 403, "reauthentication_required")
	}
	c.finishRegistration(token, early).wantProblem(t, 403, "reauthentication_required")
}

// A further passkey needs a passkey verification that is fresh, whatever the
// token says.
func TestFurtherPasskeyNeedsAFreshPasskey(t *testing.T) {
	c, db := startWithDatabase(t)
	password := c.signedIn()
	device := c.enrol(password)
	full := c.stepUp(password, device)
	early := c.create(newDevice(), c.registerOptions(full))
	db.exec(`UPDATE sessions SET full_at = full_at - interval '301 s' WHERE id = $1`, sessionOf(t, full))
	refused := c.do("POST", "/passkeys/register/options", nil, bearer(full)).wantProblem(t, 403, "step_up_required")
	wantStepUp(t, refused, `Bearer error="insufficient_user_authentication", acr_values="full", max_age=300`)
	c.finishRegistration(full, early).wantProblem(t, 403, "step_up_required")
	c.enrol(c.stepUp(full, device))
}

// A disabled user is nobody: at sign-in to the byte, and in the middle of a
// ceremony.
func TestDisabledUser(t *testing.T) {
	dsn := pgtest.NewDatabase(t)
	s := start(t, "DATABASE_URL="+dsn)
	c, db := newClient(t, s), database{t, dsn}
	username := c.newUser()
	token := c.logIn(username)
	device := c.enrol(token)
	stepUp := c.get(device, c.stepUpOptions(token))
	full := c.stepUp(token, device)
	registration := c.create(newDevice(), c.registerOptions(full))

	db.exec(`UPDATE users SET disabled_at = now() WHERE username = $1`, username)
	const right = `{"username":"%","password":"` + testPassword + `"}`
	disabled := rawPost(t, s, "/auth/login", strings.Replace(right, "%", username, 1))
	unknown := rawPost(t, s, "/auth/login", strings.Replace(right, "%", strings.Repeat("z", len(username)), 1))
	if disabled != unknown {
		t.Errorf("a disabled user is answered\n%s\nand an unknown one\n%s", disabled, unknown)
	}
	c.finishStepUp(token, stepUp).wantProblem(t, 401, "unauthorized")
	c.finishRegistration(full, registration).wantProblem(t, 401, "unauthorized")
	for _, path := range []string{"/passkeys/register/options", "/passkeys/authenticate/options"} {
		c.do("POST", path, nil, bearer(full)).wantProblem(t, 401, "unauthorized")
	}
}

// A session ends when the password changes, and when somebody ends it.
func TestEndedSession(t *testing.T) {
	for name, statement := range map[string]string{
		"password changed": `UPDATE users SET password_version = password_version + 1 WHERE username = $1`,
		"session ended":    `UPDATE sessions SET ended_at = now() FROM users u WHERE user_id = u.id AND username = $1`,
		"session expired":  `UPDATE sessions SET expires_at = now() - interval '1 s' FROM users u WHERE user_id = u.id AND username = $1`,
		"user deleted":     `DELETE FROM users WHERE username = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			c, db := startWithDatabase(t)
			username := c.newUser()
			token := c.logIn(username)
			response := c.get(c.enrol(token), c.stepUpOptions(token))
			db.exec(statement, username)
			c.finishStepUp(token, response).wantProblem(t, 401, "unauthorized")
			c.do("POST", "/passkeys/register/options", nil, bearer(token)).wantProblem(t, 401, "unauthorized")
		})
	}
}

// A hash of the original opens the account, and is argon2id afterwards. The
// original ignores what follows 72 bytes; the new hash does not.
func TestHashOfTheOriginal(t *testing.T) {
	// bcrypt.hashSync('a'.repeat(72), '$2b$04$abcdefghijklmnopqrstuu') of npm
	// bcrypt 6.0.0
	const legacy = "$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe"
	c, db := startWithDatabase(t)
	username := c.newUser()
	db.exec(`UPDATE users SET password_hash = $2 WHERE username = $1`, username, legacy)

	long := strings.Repeat("a", 72)
	c.do("POST", "/auth/login", credentials(username, long[:71]+"b")).wantProblem(t, 401, "unauthorized")
	c.do("POST", "/auth/login", credentials(username, long+"b")).want(t, http.StatusCreated)
	hash := db.text(`SELECT password_hash FROM users WHERE username = $1`, username)
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is still %.30s…", hash)
	}
	c.do("POST", "/auth/login", credentials(username, long+"c")).wantProblem(t, 401, "unauthorized")
	c.do("POST", "/auth/login", credentials(username, long+"b")).accessToken(t)
}
