// Package mail writes mails and checks addresses.
//
// A [Letter] has the facts, [Letters] has the words. Each mail has a plain text and an
// HTML part with the same content; neither loads a picture or style sheet from
// elsewhere, so that opening a mail notifies nobody. All English text is in words.go,
// the layout in the two templates.
//
// Mails contain nothing that somebody typed, because people trust notices and they
// must not carry a stranger's words. The only exception is the account's name,
// which says which account is meant. Device and network are described in our own
// words.
package mail
