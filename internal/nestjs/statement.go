package nestjs

import (
	"encoding/base64"
	"errors"
	"strings"
)

// passkeyText says which columns hold base64url and no bytes.
type passkeyText struct{ credentialID, publicKey bool }

// statement returns the one query that reads everything.
func statement(users, passkeys columns) (query string, text passkeyText, err error) {
	hash, _ := users.first("u.", "passwordHash", "password")
	if users["id"] != "uuid" || users["username"] == "" || hash == "" {
		return "", text, errors.New("there are no users of the original: " +
			"a table users with id (uuid), username and passwordHash is not on the search path of that database")
	}
	created := users.moment("u.", "createdAt")
	query = `SELECT u.id, u.username::text, ` + hash + `::text, ` + users.or("true", "u.", "isActive") + `, ` +
		created + `, ` + users.moment("u.", "updatedAt") + `, `
	if len(passkeys) == 0 {
		return query + `NULL::uuid, NULL::bytea, NULL::bytea, NULL::bigint, NULL::text[], NULL::text,
			NULL::timestamptz, NULL::timestamptz
			FROM users u ORDER BY ` + created + `, u.id`, text, nil
	}
	id, idKind := passkeys.first("p.", "credentialId", "credentialID")
	key, keyKind := passkeys.first("p.", "publicKey", "credentialPublicKey")
	owner, _ := passkeys.first("p.", "userId", "userID")
	counter, _ := passkeys.first("p.", "counter")
	if passkeys["id"] != "uuid" || id == "" || key == "" || owner == "" || counter == "" {
		return "", text, errors.New("the table passkey_credentials is not the original's: " +
			"it needs id (uuid), userId, credentialId, publicKey and counter")
	}
	text = passkeyText{credentialID: idKind != "bytea", publicKey: keyKind != "bytea"}
	used := passkeys.moment("p.", "lastUsedAt", "lastUsed")
	made := passkeys.moment("p.", "createdAt")
	query += `p.id, ` + bytes(id, idKind) + `, ` + bytes(key, keyKind) + `, ` + counter + `::bigint, ` +
		transports(passkeys) + `, ` + passkeys.or("NULL", "p.", "deviceName") + `::text, ` + made + `, ` + used + `
		FROM users u LEFT JOIN passkey_credentials p ON ` + owner + ` = u.id
		ORDER BY ` + created + `, u.id, ` + used + ` DESC NULLS LAST, ` + made + ` DESC NULLS LAST, p.id`
	return query, text, nil
}

// bytes is an expression for the bytes of a column, or those of its text.
func bytes(column, kind string) string {
	if kind == "bytea" {
		return column
	}
	return "convert_to(" + column + "::text, 'UTF8')"
}

// transports is an expression for a list: an array, or TypeORM's simple-array, which is
// text with commas.
func transports(passkeys columns) string {
	column, kind := passkeys.first("p.", "transports")
	switch {
	case column == "":
		return "NULL::text[]"
	case strings.HasSuffix(kind, "[]"):
		return column + "::text[]"
	default:
		return "string_to_array(nullif(" + column + "::text, ''), ',')"
	}
}

// decode reads base64url, with padding or without. What is neither becomes nothing,
// which no passkey can have.
func decode(text []byte) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(string(text), "="))
	if err != nil {
		return nil
	}
	return raw
}
