package mail

import (
	"strings"
	"time"

	"github.com/stepkey/stepkey/internal/messages"
	"github.com/stepkey/stepkey/internal/useragent"
)

// moment writes a time in UTC, with the layout and the names of months of a language.
func moment(c *messages.Catalog, at time.Time) (string, error) {
	at = at.UTC()
	month, err := c.Text("mail.months." + strings.ToLower(at.Month().String()))
	if err != nil {
		return "", err
	}
	return c.Text("mail.moment", "day", at.Day(), "month", month, "year", at.Year(), "time", at.Format("15:04"))
}

// device translates a description of package useragent as far as it consists of words. Another description stays as
// it is.
func device(c *messages.Catalog, description string) (string, error) {
	if description == useragent.Unknown {
		return c.Text("mail.device.unknown")
	}
	browser, system, ok := useragent.Split(description)
	if !ok {
		return description, nil
	}
	return c.Text("mail.device.on", "browser", browser, "system", system)
}
