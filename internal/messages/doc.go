// Package messages holds the words that people read, in every language.
//
// Each language is one file, such as de.json, whose name is a BCP 47 tag. The file is a tree of JSON objects; a
// message is named by its path, such as account.codes.left. A message is a string, or an object with a string for
// each plural category of the language (CLDR: zero, one, two, few, many, other), of which the argument "count"
// selects one. Arguments stand in braces: "Delete {name}?". Nothing else is interpreted: messages contain no markup.
//
// English is the base: it names every message, and every other language falls back on it message by message. The
// files of the service are embedded in this package. An operator may add languages and replace messages with files of
// the same form; Load refuses a file that names unknown messages or arguments, so that a misspelt key does not go
// unnoticed.
package messages
