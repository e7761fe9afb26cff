// Package mail writes mails and checks addresses.
//
// A [Letter] has the facts, [Letters] has the words. Each mail has a plain text and an
// HTML part with the same content; neither loads a picture or style sheet from
// elsewhere, so that opening a mail notifies nobody. All words are messages of package
// messages, below "mail"; words.go says which kind uses which, and the two templates have the
// layout.
//
// Mails contain nothing that somebody typed, because people trust notices and they
// must not carry a stranger's words. The only exception is the account's name,
// which says which account is meant. Device and network are described in our own
// words.
package mail
