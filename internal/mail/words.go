package mail

// wording names the messages of one kind of mail. Their keys are below mail.KIND, except for those that several kinds
// share, which begin with a dot and are below mail.
type wording struct {
	lines []string
	facts bool // when, on which device and in which network follow

	// until is one more line for a mail that has Letter.Until.
	until string

	// The action that the mail asks for, if any: the words above the link, those of the link, and its target.
	before, link string
	url          func(Letter) string

	after []string
}

// notice returns the wording of a notice with those lines. It ends with the link for an owner who did not do it.
func notice(lines ...string) wording {
	return wording{
		lines: lines, facts: true, before: ".notMe.before", link: ".notMe.link", after: []string{".notMe.after"},
		url: func(l Letter) string { return l.FreezeURL },
	}
}

// toOperator returns the wording of a notice about which only the people who run the service can do something.
func toOperator() wording {
	return wording{
		lines: []string{"text"}, facts: true, before: "before", link: ".home",
		url: func(l Letter) string { return l.Home },
	}
}

// wordings are all kinds. The words themselves are in the files of package messages.
func wordings() map[Kind]wording {
	added := notice("text")
	added.until = "wait"
	return map[Kind]wording{
		ConfirmEmail: {
			lines: []string{"text"}, facts: true, before: "before", link: "link",
			url:   func(l Letter) string { return l.ConfirmURL },
			after: []string{".once", ".unasked"},
		},
		ResetPassword: {
			lines: []string{"text"}, facts: true, before: "before", link: "link",
			url:   func(l Letter) string { return l.ResetURL },
			after: []string{".once", "after", ".unasked"},
		},
		FinishRecovery: {
			lines: []string{"text"}, facts: true, before: "before", link: "link",
			url:   func(l Letter) string { return l.RecoverURL },
			after: []string{".once", ".unasked"},
		},
		Invitation: {
			lines: []string{"text"}, before: "before", link: "link",
			url:   func(l Letter) string { return l.InvitationURL },
			after: []string{"once", "unasked"},
		},
		PasskeyAdded:          added,
		PasskeyRemoved:        notice("text"),
		PasskeyFailed:         notice("text", "meaning"),
		PasswordChanged:       notice("text"),
		PasswordReset:         notice("text"),
		EmailChanged:          notice("text"),
		EmailRemoved:          notice("text"),
		SessionReused:         notice("text", "facts"),
		RecoveryStarted:       notice("text", "possible"),
		RecoveryReady:         notice("text", "next"),
		RecoveryByAdmin:       notice("text"),
		RecoveryUsed:          notice("text", "wait"),
		RecoveryCancelled:     notice("text"),
		RecoveryCodesReplaced: notice("text"),
		AccountFrozen:         notice("text", "next"),
		EmailRemovedByAdmin:   toOperator(),
		AccountDeleted:        toOperator(),
	}
}
