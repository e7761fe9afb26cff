package smtpmail

import (
	"errors"
	"fmt"
	"net"
	"net/textproto"

	gomail "github.com/wneessen/go-mail"

	"github.com/stepkey/stepkey"
)

// connecting says why there is no session with the server. Up to here no recipient has
// been named, so that the network's own words can be passed on; the server's are not.
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

// sending says why the server did not take the mail. A permanent refusal of the recipient
// will not change; one of anything else may, once somebody has seen to the server.
func sending(err error) error {
	var failed *gomail.SendError
	if !errors.As(err, &failed) {
		return errors.New("smtpmail: the mail was not taken")
	}
	if failed.Reason == gomail.ErrSMTPRcptTo && failed.ErrorCode() >= 500 {
		return fmt.Errorf("%w: the server answered %d", stepkey.ErrMailRefused, failed.ErrorCode())
	}
	return fmt.Errorf("smtpmail: the mail was not taken: %s, the server answered %d", failed.Reason, failed.ErrorCode())
}
