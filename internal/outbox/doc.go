// Package outbox queues mails and background tasks in the transaction that causes them,
// and delivers them later. A mail is lost neither with the process nor with the mail
// server, and no caller waits for either.
//
//   - [Outbox.Notify] tells a user by mail what happened in the account.
//   - [Outbox.SendLink] mails a link that changes something, [Outbox.NewLink] makes one
//     that is handed over otherwise.
//   - [Outbox.QueueTask] queues a [Task], which a [Handler] does in the background.
//   - [Outbox.Run] and [Outbox.Deliver] send what is due.
//
// The content of a queued row is sealed: it contains links. The package contains no
// use-case and does not decide who may do what.
package outbox
