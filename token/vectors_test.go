package token_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/stepkey/stepkey/token"
)

var writeVectors = flag.Bool("vectors", false, "write testdata/vectors.json anew")

const vectorsFile = "testdata/vectors.json"

// vectors is testdata/vectors.json; testdata/README.md says what each member is.
type vectors struct {
	Issuer   string         `json:"issuer"`
	Audience string         `json:"audience"`
	Now      int64          `json:"now"`
	JWKS     token.JWKS     `json:"jwks"`
	Secret   string         `json:"secret"`
	Tokens   []vectorToken  `json:"tokens"`
	Guards   []vectorGuard  `json:"guards"`
	Actions  []vectorAction `json:"actions"`
}

type vectorToken struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Expected string `json:"expected"`
	Token    string `json:"token"`
}

type vectorGuard struct {
	Name    string      `json:"name"`
	Level   token.Level `json:"level"`
	MaxAge  int64       `json:"max_age,omitempty"`
	Verdict string      `json:"verdict"`
	Token   string      `json:"token"`
}

type vectorAction struct {
	Name       string            `json:"name"`
	Parameters map[string]string `json:"parameters"`
	Digest     string            `json:"digest"`
}

func TestVectors(t *testing.T) {
	if *writeVectors {
		writeVectorsFile(t)
	}
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var file vectors
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	v := file.verifier(t)
	seen := map[string]int{}
	for _, row := range file.Tokens {
		seen[row.Expected]++
		if got := row.verdict(t, v); got != row.Expected {
			t.Errorf("%s: %s, want %s", row.Name, got, row.Expected)
		}
	}
	for _, expected := range append([]token.Reason{"accept"}, reasons()...) {
		if seen[string(expected)] == 0 {
			t.Errorf("no token is to be judged %s", expected)
		}
	}
	for _, row := range file.Guards {
		if got := row.verdict(t, v, time.Unix(file.Now, 0)); got != row.Verdict {
			t.Errorf("%s: %s, want %s", row.Name, got, row.Verdict)
		}
	}
	for _, row := range file.Actions {
		if got := (token.Action{Name: row.Name, Parameters: row.Parameters}).Digest(); got != row.Digest {
			t.Errorf("%s: %s, want %s", row.Name, got, row.Digest)
		}
	}
	if len(file.Guards) == 0 || len(file.Actions) == 0 {
		t.Error("no guards or no actions")
	}
}

func (file vectors) verifier(t *testing.T) *token.Verifier {
	t.Helper()
	secret, err := base64.RawURLEncoding.DecodeString(file.Secret)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := token.NewSecretKey(secret, false)
	if err != nil {
		t.Fatal(err)
	}
	var others []token.VerificationKey
	for _, jwk := range file.JWKS.Keys {
		key, err := jwk.VerificationKey()
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, key)
	}
	v, err := token.NewVerifier(token.NewKeyring(shared, others...), token.Expect{
		Issuer: file.Issuer, Audience: file.Audience, Clock: func() time.Time { return time.Unix(file.Now, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (row vectorToken) verdict(t *testing.T, v *token.Verifier) string {
	t.Helper()
	var err error
	switch row.Type {
	case "access":
		_, err = v.Verify(t.Context(), row.Token)
	case "action":
		_, err = v.VerifyAction(t.Context(), row.Token)
	case "ended":
		_, err = v.VerifyEndedSessions(t.Context(), row.Token)
	default:
		t.Fatalf("%s: type %q", row.Name, row.Type)
	}
	if err == nil {
		return "accept"
	}
	return string(reasonOf(err))
}

func (row vectorGuard) verdict(t *testing.T, v *token.Verifier, now time.Time) string {
	t.Helper()
	c, err := v.Verify(t.Context(), row.Token)
	if err != nil {
		t.Fatalf("%s: %v", row.Name, err)
	}
	age, proved := c.PasskeyAge(now)
	if !c.Level.Satisfies(row.Level) || (row.MaxAge > 0 && (!proved || age > time.Duration(row.MaxAge)*time.Second)) {
		return "step_up"
	}
	return "pass"
}

func reasons() []token.Reason {
	return []token.Reason{
		token.ReasonSize, token.ReasonMalformed, token.ReasonHeader, token.ReasonType, token.ReasonUnknownKey,
		token.ReasonAlgorithm, token.ReasonSignature, token.ReasonExpired, token.ReasonNotYetValid,
		token.ReasonIssuer, token.ReasonAudience, token.ReasonClaims,
	}
}
