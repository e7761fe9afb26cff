// Package mail turns what is to be told into mails, and says what an address is.
//
// A [Letter] holds the facts, [Letters] the words. Each mail has a plain text and an
// HTML part that say the same; neither refers to anything elsewhere, no picture and no
// style sheet, so that opening one tells nobody. All the English is in words.go, what
// surrounds it in the two templates.
//
// What somebody typed is kept out, but for the account's name, without which nobody
// could tell which account is meant: a notice is trusted, and must not carry a
// stranger's words. Device and network are words of our own.
package mail
