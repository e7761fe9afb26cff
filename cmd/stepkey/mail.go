package main

import (
	"errors"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/smtpmail"
)

// mailer is how to send e-mail, or nil where no server is named.
func (s settings) mailer() (stepkey.Mailer, error) {
	if s.SMTPURL == "" {
		if s.MailFrom != "" {
			return nil, errors.New("STEPKEY_MAIL_FROM is set, and no mail is sent without a server: set SMTP_URL, or remove it")
		}
		return nil, nil
	}
	if s.MailFrom == "" {
		return nil, errors.New("SMTP_URL is set, and a mail needs somebody who sends it: " +
			"set STEPKEY_MAIL_FROM to an address of yours, such as no-reply@example.com")
	}
	return smtpmail.New(smtpmail.Config{URL: s.SMTPURL.Reveal(), From: s.MailFrom, Name: s.RPName})
}
