package storage

// MailKind is what a mail is about. To a store it is a word.
type MailKind string
