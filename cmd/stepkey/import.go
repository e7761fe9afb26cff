package main

import (
	"context"
	"errors"
	"strings"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/nestjs"
	"github.com/stepkey/stepkey/internal/secret"
)

type importCommands struct {
	NestJS importNestJSCommand `cmd:"" name:"nestjs" help:"Import users and passkeys from the database of the NestJS original. Without --yes it only reports."`
}

type importNestJSCommand struct {
	settings
	takeoverFlags
	From secret.Text `name:"from" env:"STEPKEY_IMPORT_FROM" placeholder:"postgres://…" help:"The original's database. It is only read. Set in the environment, the password is not visible in the list of processes. Default: the database of DB_HOST or DATABASE_URL."`
}

// takeoverFlags are the flags of every command that imports users.
type takeoverFlags struct {
	Yes    bool `help:"Really import. Otherwise it is a dry run: the same report, and nothing changes." xor:"mode"`
	DryRun bool `help:"Only report, which is the default." xor:"mode"`
}

// from returns the URL of the original's database. It may also contain Stepkey's tables.
func (c *importNestJSCommand) from() (string, error) {
	if c.From != "" {
		return c.From.Reveal(), nil
	}
	dsn, _, err := c.database()
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(dsn, "sqlite:") {
		return "", errors.New("say where the users are: --from postgres://user:password@host:5432/name, or STEPKEY_IMPORT_FROM")
	}
	return dsn, nil
}

// Run imports all users. Another run imports the users who signed up since.
func (c *importNestJSCommand) Run(ctx context.Context, out output) error {
	from, err := c.from()
	if err != nil {
		return err
	}
	source, err := nestjs.Open(ctx, from)
	if err != nil {
		return err
	}
	defer source.Close()
	return c.withAdmin(ctx, func(admin *stepkey.Admin) error {
		total, err := source.Count(ctx)
		if err != nil {
			return err
		}
		t := newTakeover(admin, out, total, c.Yes)
		err = source.Users(ctx, func(u stepkey.PortableUser) error {
			return t.add(ctx, candidate{where: "user " + u.ID.String(), user: u})
		})
		if ctx.Err() != nil {
			return errInterrupted // whatever error reading returned
		}
		if err != nil {
			return err
		}
		return t.finish(ctx)
	})
}
