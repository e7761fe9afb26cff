package mail

// wording is the text of one kind of mail. Each string is a template over
// [Letter].
type wording struct {
	subject string
	lines   []string
	facts   bool // when, on which device and in which network follow

	// The action that the mail asks for, if any: the words above the link, those of the
	// link, and its target.
	before, link string
	url          func(Letter) string

	after []string
}

const (
	wasYou     = "Was it you? Then there is nothing to do."
	unasked    = "You did not ask for this? Then do nothing: nothing has changed."
	tenMinutes = "The link works once, and for ten minutes."
)

// notice returns a wording that ends with the link for an owner who did not do
// it.
func notice(subject string, lines ...string) wording {
	return wording{
		subject: subject, lines: lines, facts: true,
		before: wasYou + " If it was not, sign out everywhere, stop the password, and stop what was begun:",
		link:   "This was not me", url: func(l Letter) string { return l.FreezeURL },
		after: []string{"Then set a new password, and look through your passkeys."},
	}
}

// words returns all English text of the mails.
func words() map[Kind]wording {
	const account = "your account “{{.Username}}”"
	const until = `{{.Until.Format "2 January 2006, 15:04"}} UTC`
	return map[Kind]wording{
		ConfirmEmail: {
			subject: "Confirm your e-mail address",
			lines:   []string{"The account “{{.Username}}” at {{.Service}} wants to use this address."},
			facts:   true,
			before:  "Is that your account? Then confirm:", link: "Confirm this address",
			url:   func(l Letter) string { return l.ConfirmURL },
			after: []string{tenMinutes, unasked},
		},
		ResetPassword: {
			subject: "Set a new password",
			lines:   []string{"Someone asked for a new password for " + account + " at {{.Service}}."},
			facts:   true,
			before:  "Was it you? Then go on:", link: "Set a new password",
			url: func(l Letter) string { return l.ResetURL },
			after: []string{
				tenMinutes, "A new password signs out every device. Your passkeys stay as they are.", unasked,
			},
		},

		FinishRecovery: {
			subject: "Get back into your account",
			lines:   []string{"The wait is over: you can add a new passkey to " + account + " at {{.Service}}."},
			facts:   true,
			before:  "Was it you who asked? Then go on, with your password at hand:", link: "Add a new passkey",
			url:   func(l Letter) string { return l.RecoverURL },
			after: []string{tenMinutes, unasked},
		},

		Invitation: {
			subject: "You are invited",
			lines:   []string{"Those who run {{.Service}} invite you to create an account."},
			before:  "Choose a username and a password here:", link: "Create an account",
			url: func(l Letter) string { return l.InvitationURL },
			after: []string{
				"The link works once, until " + until + ". This address will belong to the account.",
				"You did not expect this? Then do nothing: no account is created without you.",
			},
		},
		PasskeyAdded: notice("A passkey was added", "A passkey was added to "+account+" at {{.Service}}."+
			"{{if not .Until.IsZero}} It works from "+until+". Until then, the link below takes it away again.{{end}}"),
		PasskeyRemoved: notice("A passkey was removed", "A passkey was removed from "+account+" at {{.Service}}."),
		PasskeyFailed: notice("A sign-in stopped at your passkey",
			"Someone typed the right password of "+account+" at {{.Service}}, and then had no passkey that works.",
			"They got no further than the password. If it was not you, the password is known to somebody else."),
		PasswordChanged: notice("Your password was changed",
			"The password of "+account+" at {{.Service}} was changed. Other devices are signed out."),
		PasswordReset: notice("Your password was reset",
			"A new password was set for "+account+" at {{.Service}}, by a link sent to this address. Every device is signed out."),
		EmailChanged: notice("Your e-mail address was changed",
			"The e-mail address of "+account+" at {{.Service}} is now {{.Address}}."),
		EmailRemoved: notice("Your e-mail address was removed",
			"This address no longer belongs to "+account+" at {{.Service}}. Nothing more is sent here."),
		SessionReused: notice("A device was signed out",
			"Two devices used the same sign-in of "+account+" at {{.Service}}. It may have been copied, so we ended it.",
			"What follows is where it began."),
		RecoveryStarted: notice("Someone is recovering your account",
			"Someone asked to get back into "+account+" at {{.Service}} without its passkeys.",
			"That is possible from "+until+" on, with the password and a link sent to this address. "+
				"A sign-in with any passkey stops it."),
		RecoveryReady: notice("You can get back into your account",
			"The wait is over: anyone who knows the password of "+account+" at {{.Service}} and reads this mailbox can add a new passkey, until "+until+".",
			"If that is you, sign in at {{.RecoverURL}} and have a link sent."),
		RecoveryByAdmin: notice("Someone made a way back into your account",
			"Those who run {{.Service}} made a link by which a new passkey can be added to "+account+". They cannot see your password."),
		RecoveryUsed: notice("Your account was recovered",
			"Someone got back into "+account+" at {{.Service}} without its passkeys, to add a new one. Every device is signed out.",
			"The new passkey works only after a while. Until then you can stop it."),
		RecoveryCancelled: notice("A recovery was stopped",
			"The recovery of "+account+" at {{.Service}} was stopped. Nothing has changed."),
		RecoveryCodesReplaced: notice("You have new recovery codes",
			"New recovery codes were made for "+account+" at {{.Service}}. The ones before no longer work."),
		AccountFrozen: notice("You were signed out everywhere",
			"Someone followed the link “This was not me” from a mail about "+account+" at {{.Service}}.",
			"Every device is signed out, and what was begun to get into the account is stopped. "+
				"The password no longer works. Set a new one at {{.ResetPage}}, or sign in with a passkey."),
		EmailRemovedByAdmin: {
			subject: "Your e-mail address was removed",
			lines: []string{
				"Those who run {{.Service}} removed this address from " + account + ". Nothing more is sent here, and links from earlier mails no longer work.",
			},
			facts:  true,
			before: "Was it you who asked? Then there is nothing to do. If it was not, tell those who run {{.Service}}:", link: "{{.Service}}",
			url: func(l Letter) string { return l.Home },
		},
		AccountDeleted: {
			subject: "Your account was deleted",
			lines:   []string{"The account “{{.Username}}” at {{.Service}} was deleted, with everything in it."},
			facts:   true,
			before:  wasYou + " If it was not, tell those who run {{.Service}}:", link: "{{.Service}}",
			url: func(l Letter) string { return l.Home },
		},
	}
}

const (
	orOpen = "Or open this address:"

	factWhen    = "When"
	factTimes   = "How often"
	times       = "%d times; the time, device and network are those of the last"
	factDevice  = "Device"
	factNetwork = "Network"
)
