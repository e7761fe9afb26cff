package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/webauthn"
)

// maxLine bounds a line of an import. A user with twenty passkeys takes about 20
// KiB.
const maxLine = 1 << 20

// userLine is a user as a line of JSON. docs/moving-in.md describes the members.
type userLine struct {
	ID              uuid.UUID          `json:"id"`
	Username        string             `json:"username"`
	PasswordHash    string             `json:"passwordHash"`
	PasswordByMail  bool               `json:"passwordByMail,omitzero"`
	PasswordStopped bool               `json:"passwordStopped,omitzero"`
	UserHandle      webauthn.Base64URL `json:"userHandle,omitzero"`
	CreatedAt       time.Time          `json:"createdAt,omitzero"`
	DisabledAt      *time.Time         `json:"disabledAt,omitzero"`
	Language        string             `json:"language,omitzero"`
	Email           *emailLine         `json:"email,omitzero"`
	Groups          []string           `json:"groups,omitempty"`
	Claims          map[string]string  `json:"claims,omitempty"`
	Passkeys        []passkeyLine      `json:"passkeys,omitempty"`
}

type emailLine struct {
	Address     string    `json:"address"`
	ConfirmedAt time.Time `json:"confirmedAt,omitzero"`
}

type passkeyLine struct {
	ID           uuid.UUID          `json:"id,omitzero"`
	CredentialID webauthn.Base64URL `json:"credentialId"`
	PublicKey    webauthn.Base64URL `json:"publicKey"`
	SignCount    int64              `json:"signCount"`
	Flags        byte               `json:"flags,omitzero"`
	Transports   []string           `json:"transports,omitempty"`
	AAGUID       uuid.UUID          `json:"aaguid,omitzero"`
	Attested     bool               `json:"attested,omitzero"`
	Name         string             `json:"name,omitzero"`
	CreatedAt    time.Time          `json:"createdAt,omitzero"`
	LastUsedAt   *time.Time         `json:"lastUsedAt,omitzero"`
	UsableFrom   *time.Time         `json:"usableFrom,omitzero"`
}

func lineOf(u stepkey.PortableUser) userLine {
	l := userLine{
		ID: u.ID, Username: u.Username, PasswordHash: u.PasswordHash, PasswordByMail: u.PasswordByMail,
		PasswordStopped: u.PasswordStopped, UserHandle: u.Handle,
		CreatedAt: u.CreatedAt, DisabledAt: u.DisabledAt, Language: u.Language, Groups: u.Groups, Claims: u.Claims,
	}
	if u.Email != nil {
		l.Email = &emailLine{Address: u.Email.Address, ConfirmedAt: u.Email.ConfirmedAt}
	}
	for _, p := range u.Passkeys {
		l.Passkeys = append(l.Passkeys, passkeyLine{
			ID: p.ID, CredentialID: p.CredentialID, PublicKey: p.PublicKey, SignCount: p.SignCount, Flags: p.Flags,
			Transports: p.Transports, AAGUID: p.AAGUID, Attested: p.Attested,
			Name: p.Name, CreatedAt: p.CreatedAt, LastUsedAt: p.LastUsedAt, UsableFrom: p.UsableFrom,
		})
	}
	return l
}

func (l userLine) user() stepkey.PortableUser {
	u := stepkey.PortableUser{
		ID: l.ID, Username: l.Username, PasswordHash: l.PasswordHash, PasswordByMail: l.PasswordByMail,
		PasswordStopped: l.PasswordStopped, Handle: l.UserHandle,
		CreatedAt: l.CreatedAt, DisabledAt: l.DisabledAt, Language: l.Language, Groups: l.Groups, Claims: l.Claims,
	}
	if l.Email != nil {
		u.Email = &stepkey.ConfirmedEmail{Address: l.Email.Address, ConfirmedAt: l.Email.ConfirmedAt}
	}
	for _, p := range l.Passkeys {
		u.Passkeys = append(u.Passkeys, stepkey.PortablePasskey{
			ID: p.ID, CredentialID: p.CredentialID, PublicKey: p.PublicKey, SignCount: p.SignCount, Flags: p.Flags,
			Transports: p.Transports, AAGUID: p.AAGUID, Attested: p.Attested,
			Name: p.Name, CreatedAt: p.CreatedAt, LastUsedAt: p.LastUsedAt, UsableFrom: p.UsableFrom,
		})
	}
	return u
}

type userExportCommand struct{ settings }

// Run writes every user as one line.
func (c *userExportCommand) Run(ctx context.Context, out output) error {
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		n, w := 0, bufio.NewWriter(out.stdout)
		for after := uuid.Nil; ; {
			users, err := admin.Export(ctx, after, stepkey.MaxImportBatch)
			if err != nil {
				return err
			}
			for _, u := range users {
				if err := json.MarshalWrite(w, lineOf(u)); err != nil {
					return err
				}
				if err := w.WriteByte('\n'); err != nil {
					return err
				}
				after = u.ID
			}
			n += len(users)
			if len(users) < stepkey.MaxImportBatch {
				break
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		_, err := fmt.Fprintf(out.stderr, "%d users exported, with the hashes of their passwords: "+
			"keep the output as safe as the database.\n", n)
		return err
	})
}

type userImportCommand struct {
	settings
	takeoverFlags
	File string `arg:"" optional:"" default:"-" help:"JSON lines as user export writes them, or - for standard input, the default."`
}

// Run imports all users in the file.
func (c *userImportCommand) Run(ctx context.Context, out output) error {
	file := os.Stdin
	if c.File != "-" {
		var err error
		if file, err = os.Open(c.File); err != nil {
			return err
		}
		defer file.Close()
	}
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		t := newTakeover(admin, out, 0, c.Yes)
		if err := readLines(file, func(at candidate) error { return t.add(ctx, at) }); err != nil {
			return err
		}
		return t.finish(ctx)
	})
}

// readLines calls yield for each line that is not empty.
func readLines(r io.Reader, yield func(candidate) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := yield(readLine(n, lines.Bytes())); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d bytes; no user from there on was read", n+1, maxLine)
	}
	return lines.Err()
}

// readLine reads strictly: an unknown member is probably misspelt, and ignoring it
// would lose its value.
func readLine(n int, text []byte) candidate {
	c := candidate{where: fmt.Sprintf("line %d", n)}
	var l userLine
	if err := json.Unmarshal(text, &l, json.RejectUnknownMembers(true)); err != nil {
		c.problem = "not a user in JSON: " + whatIsWrong(err)
		return c
	}
	c.user = l.user()
	return c
}

// whatIsWrong names the member and the rule, and never a value: the line contains a
// hash.
func whatIsWrong(err error) string {
	var meaning *json.SemanticError
	if !errors.As(err, &meaning) {
		return "the syntax is wrong, or a member comes twice"
	}
	where := string(meaning.JSONPointer)
	switch {
	case where == "":
		return "it is not an object"
	case errors.Is(err, json.ErrUnknownName):
		return "unknown member " + where
	default:
		return "the value of " + where + " is not of the right form"
	}
}
