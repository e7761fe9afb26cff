package main

import (
	"errors"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/smtpmail"
)

// mailer returns the configured mailer, or nil without a mail server.
func (s settings) mailer() (stepkey.Mailer, error) {
	if s.SMTPURL == "" {
		if s.MailFrom != "" {
			return nil, errors.New("STEPKEY_MAIL_FROM is set, but no mail is sent without a server: set SMTP_URL, or remove it")
		}
		return nil, nil
	}
	if s.MailFrom == "" {
		return nil, errors.New("SMTP_URL is set, but mails need a sender: " +
			"set STEPKEY_MAIL_FROM to an address of yours, such as no-reply@example.com")
	}
	return smtpmail.New(smtpmail.Config{URL: s.SMTPURL.Reveal(), From: s.MailFrom, Name: s.RPName})
}
