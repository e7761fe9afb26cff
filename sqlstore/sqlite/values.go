package sqlite

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// numbered turns $1 into a numbered parameter of SQLite. To SQLite itself $1 is a name, and
// drivers differ in whether they bind it by its number or by its position.
var numbered = strings.NewReplacer("$1", "?1", "$2", "?2", "$3", "?3", "$4", "?4", "$5", "?5",
	"$6", "?6", "$7", "?7", "$8", "?8", "$9", "?9")

// bound returns arguments with times as microseconds since 1970: drivers write times in forms
// of their own, which do not compare.
func bound(args []any) []any {
	args = slices.Clone(args)
	for i, arg := range args {
		switch arg := arg.(type) {
		case time.Time:
			args[i] = arg.UnixMicro()
		case *time.Time:
			args[i] = nil
			if arg != nil {
				args[i] = arg.UnixMicro()
			}
		}
	}
	return args
}

// readable returns targets that read such times.
func readable(targets []any) []any {
	targets = slices.Clone(targets)
	for i, target := range targets {
		switch target := target.(type) {
		case *time.Time:
			targets[i] = timeTarget{target}
		case **time.Time:
			targets[i] = optionalTimeTarget{target}
		}
	}
	return targets
}

// timeTarget is a sql.Scanner for a time. Some drivers convert it to a time because of the
// column's type, others return the integer.
type timeTarget struct{ to *time.Time }

func (t timeTarget) Scan(value any) error {
	switch value := value.(type) {
	case time.Time:
		*t.to = value
	case int64:
		*t.to = time.UnixMicro(value).UTC()
	default:
		return fmt.Errorf("sqlite: a %T is not a time", value)
	}
	return nil
}

// optionalTimeTarget is a sql.Scanner for a time that may be NULL.
type optionalTimeTarget struct{ to **time.Time }

func (t optionalTimeTarget) Scan(value any) error {
	if value == nil {
		*t.to = nil
		return nil
	}
	*t.to = new(time.Time)
	return timeTarget{*t.to}.Scan(value)
}
