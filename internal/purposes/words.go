package purposes

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of the parts of a purpose.
const (
	MaxName   = 64                   // bytes
	MaxTitle  = 128                  // bytes
	MaxFactor = 32                   // bytes
	MinAge    = time.Second          // ages are whole seconds: sessions often keep nothing finer
	MaxAge    = 365 * 24 * time.Hour // a longer age is a typing error
)

// CheckName returns an error that says how to write a purpose's name.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return fmt.Errorf("%q is not the name of a purpose: use 1 to %d of a-z, 0-9, '.', '_' and '-'", name, MaxName)
	}
	return nil
}

// CheckTitle returns an error that says how to write the title of a purpose, which
// people read. An empty title is in order.
func CheckTitle(title string) error {
	if len(title) > MaxTitle || !utf8.ValidString(title) || strings.ContainsFunc(title, unicode.IsControl) {
		return fmt.Errorf("%q is not a title: use at most %d bytes of UTF-8 without control characters", title, MaxTitle)
	}
	return nil
}

// CheckFactor returns an error that says how to write the name of a factor.
func CheckFactor(factor string) error {
	if factor == "" || len(factor) > MaxFactor || strings.Trim(factor, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("%q is not a factor: write passkey, password, or a name of your own of 1 to %d of a-z, 0-9 and '-'", factor, MaxFactor)
	}
	return nil
}

// CheckAge returns an error if a proof cannot be asked to be at most that old.
func CheckAge(age time.Duration) error {
	if age < MinAge || age > MaxAge || age%time.Second != 0 {
		return fmt.Errorf("the age %s is out of range: use whole seconds from %s to %d days", age, FormatAge(MinAge), int(MaxAge.Hours()/24))
	}
	return nil
}

// FormatAge writes an age in the form that a line has: 10m, not 10m0s.
func FormatAge(age time.Duration) string {
	text := age.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// CheckUntil returns an error for a date that no purpose can have meant, and that a
// line could not repeat.
func CheckUntil(until time.Time) error {
	if year := until.UTC().Year(); year < 2000 || year > 9999 {
		return errors.New("the date lies outside the years 2000 to 9999")
	}
	return nil
}

// formatUntil writes a date, with its time of day if that is not midnight UTC.
func formatUntil(until time.Time) string {
	until = until.UTC()
	if until.Equal(until.Truncate(24 * time.Hour)) {
		return until.Format(time.DateOnly)
	}
	return until.Format(time.RFC3339Nano)
}
