package postgres

import (
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// pgx takes a uuid.UUID for a driver.Valuer and a sql.Scanner, and sends and reads its text. It reads
// a time.Time through a wrapper, which it looks for and allocates for each value. The types of this
// file have it send and read the bytes directly.

// encodable returns arguments with UUIDs in pgx's own type.
func encodable(args []any) []any {
	args = slices.Clone(args)
	for i, arg := range args {
		switch arg := arg.(type) {
		case uuid.UUID:
			args[i] = pgtype.UUID{Bytes: arg, Valid: true}
		case *uuid.UUID:
			args[i] = nil
			if arg != nil {
				args[i] = pgtype.UUID{Bytes: *arg, Valid: true}
			}
		case uuid.NullUUID:
			args[i] = pgtype.UUID{Bytes: arg.UUID, Valid: arg.Valid}
		}
	}
	return args
}

// decodable returns targets that read UUIDs and times.
func decodable(targets []any) []any {
	targets = slices.Clone(targets)
	for i, target := range targets {
		switch target := target.(type) {
		case *uuid.UUID:
			targets[i] = (*uuidTarget)(target)
		case **uuid.UUID:
			targets[i] = optionalUUIDTarget{target}
		case *uuid.NullUUID:
			targets[i] = (*nullUUIDTarget)(target)
		case *time.Time:
			targets[i] = (*timeTarget)(target)
		case **time.Time:
			targets[i] = optionalTimeTarget{target}
		}
	}
	return targets
}

// uuidTarget is a pgtype.UUIDScanner. Like uuid.UUID, it reads NULL as the zero UUID.
type uuidTarget uuid.UUID

func (t *uuidTarget) ScanUUID(v pgtype.UUID) error {
	*t = v.Bytes
	return nil
}

// nullUUIDTarget is a pgtype.UUIDScanner for a UUID that may be NULL.
type nullUUIDTarget uuid.NullUUID

func (t *nullUUIDTarget) ScanUUID(v pgtype.UUID) error {
	*t = nullUUIDTarget{UUID: v.Bytes, Valid: v.Valid}
	return nil
}

// optionalUUIDTarget is a pgtype.UUIDScanner for a UUID that may be NULL.
type optionalUUIDTarget struct{ to **uuid.UUID }

func (t optionalUUIDTarget) ScanUUID(v pgtype.UUID) error {
	*t.to = nil
	if v.Valid {
		id := uuid.UUID(v.Bytes)
		*t.to = &id
	}
	return nil
}

// timeTarget is a pgtype.TimestamptzScanner.
type timeTarget time.Time

func (t *timeTarget) ScanTimestamptz(v pgtype.Timestamptz) error {
	if !v.Valid {
		return errors.New("postgres: NULL is not a time")
	}
	if v.InfinityModifier != pgtype.Finite {
		return errors.New("postgres: infinity is not a time")
	}
	*t = timeTarget(v.Time)
	return nil
}

// optionalTimeTarget is a pgtype.TimestamptzScanner for a time that may be NULL.
type optionalTimeTarget struct{ to **time.Time }

func (t optionalTimeTarget) ScanTimestamptz(v pgtype.Timestamptz) error {
	*t.to = nil
	if !v.Valid {
		return nil
	}
	*t.to = new(time.Time)
	return (*timeTarget)(*t.to).ScanTimestamptz(v)
}
