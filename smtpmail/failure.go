package smtpmail

import (
	"errors"
	"fmt"
	"net"
	"net/textproto"

	gomail "github.com/wneessen/go-mail"

	"github.com/stepkey/stepkey"
)

// connecting returns the error for a failure to connect to the server. No recipient
// was sent yet, so errors of the network can be passed on; the server's texts are not.
func connecting(err error) error {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return fmt.Errorf("smtpmail: the server answered %d before a mail was offered", reply.Code)
	}
	var network net.Error
	if errors.As(err, &network) {
		return fmt.Errorf("smtpmail: cannot reach the server: %w", network)
	}
	return fmt.Errorf("smtpmail: cannot use the server: %w", err)
}

// sending returns the error for a mail that the server did not accept. A permanent
// refusal of the recipient will not change; any other refusal may, once somebody has
// fixed the server.
func sending(err error) error {
	var failed *gomail.SendError
	if !errors.As(err, &failed) {
		return errors.New("smtpmail: the mail was not accepted")
	}
	if failed.Reason == gomail.ErrSMTPRcptTo && failed.ErrorCode() >= 500 {
		return fmt.Errorf("%w: the server answered %d", stepkey.ErrMailRefused, failed.ErrorCode())
	}
	return fmt.Errorf("smtpmail: the mail was not accepted: %s, the server answered %d", failed.Reason, failed.ErrorCode())
}
