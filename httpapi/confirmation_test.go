package httpapi

import (
	"regexp"
	"slices"
	"testing"

	"github.com/stepkey/stepkey"
)

// requiringAddress switches on what newService leaves off.
func requiringAddress(c *stepkey.Config) { c.RequireConfirmedAddress, c.Mailer = true, &mailbox{} }

// The calls that confirm addresses are in no document where the setting is off, and say so when they are called.
func TestConfirmationOff(t *testing.T) {
	h := newHandler(newService(t), Options{})
	if slices.Contains(servedOperations(t, h), "POST /auth/confirmation") {
		t.Error("the document has it")
	}
	const mira = `{"username":"mira","password":"correct horse battery","email":"mira@example.com"}`
	wantStatus(t, "POST", send(h, "POST", "/auth/confirmation", mira), 404, "confirmation_off")
	wantStatus(t, "no body", send(h, "POST", "/auth/confirmation", ""), 404, "confirmation_off")
	wantStatus(t, "GET", send(h, "GET", "/auth/confirmation", ""), 404, "confirmation_off")
	wantStatus(t, "sign-up with a member that is not read", send(h, "POST", "/auth/signup", mira), 201, "")
	wantStatus(t, "sign-in", send(h, "POST", "/auth/login", mira), 201, "")
}

func TestConfirmationBeforeSignIn(t *testing.T) {
	var box mailbox
	service := newServiceWith(t, func(c *stepkey.Config) { c.RequireConfirmedAddress, c.Mailer = true, &box })
	h := newHandler(service, Options{})
	if !slices.Contains(servedOperations(t, h), "POST /auth/confirmation") {
		t.Error("the document lacks it")
	}
	const credentials = `{"username":"mira","password":"correct horse battery"`
	const mira = credentials + `,"email":"mira@example.com"}`
	wantStatus(t, "no address", send(h, "POST", "/auth/signup", credentials+`}`), 400, "invalid_request")
	wantStatus(t, "null", send(h, "POST", "/auth/signup", credentials+`,"email":null}`), 400, "invalid_request")
	wantStatus(t, "a number", send(h, "POST", "/auth/signup", credentials+`,"email":1}`), 400, "invalid_request")
	wantStatus(t, "no such address", send(h, "POST", "/auth/signup", credentials+`,"email":"mira"}`), 400, "email_invalid")
	wantStatus(t, "sign-up", send(h, "POST", "/auth/signup", mira), 201, "")
	wantStatus(t, "unconfirmed", send(h, "POST", "/auth/login", mira), 403, "address_unconfirmed")
	const wrong = `{"username":"mira","password":"not her password","email":"mira@example.com"}`
	wantStatus(t, "a wrong password", send(h, "POST", "/auth/login", wrong), 401, "unauthorized")

	wantStatus(t, "again, a wrong password", send(h, "POST", "/auth/confirmation", wrong), 401, "unauthorized")
	wantStatus(t, "again, no address", send(h, "POST", "/auth/confirmation", credentials+`}`), 400, "invalid_request")
	wantStatus(t, "again, no such address", send(h, "POST", "/auth/confirmation", credentials+`,"email":""}`), 400, "email_invalid")
	wantStatus(t, "again, in the URL", send(h, "POST", "/auth/confirmation?username=mira", mira), 400, "invalid_request")
	wantStatus(t, "again", send(h, "POST", "/auth/confirmation", mira), 202, "")
	if _, err := service.DeliverMail(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(box.mails) != 1 {
		t.Fatalf("%d mails, want the link that replaced the first", len(box.mails))
	}
	link := regexp.MustCompile(`#([\w-]{43})\b`).FindStringSubmatch(box.mails[0].Text)
	wantStatus(t, "the link", send(h, "POST", "/account/email/verify", `{"token":"`+link[1]+`"}`), 200, "")
	wantStatus(t, "confirmed", send(h, "POST", "/auth/login", mira), 201, "")
}
