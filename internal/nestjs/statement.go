package nestjs

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
)

// passkeyText says which columns hold base64url instead of bytes.
type passkeyText struct{ credentialID, publicKey bool }

// areUsers reports whether c are the columns of the original's table users.
func (c columns) areUsers() bool {
	hash, _ := c.firstColumn("", passwordHashes...)
	return c["id"] == "uuid" && c["username"] != "" && hash != ""
}

// passwordHashes are the possible names of the column with the hash.
var passwordHashes = []string{"passwordHash", "password"}

// statement returns the query that reads everything from the two tables in schema.
func statement(schema string, users, passkeys columns) (query string, text passkeyText, err error) {
	hash, _ := users.firstColumn("u.", passwordHashes...)
	from := "FROM " + pgx.Identifier{schema, "users"}.Sanitize() + " u "
	created := users.moment("u.", "createdAt")
	query = `SELECT u.id, u.username::text, ` + hash + `::text, ` + users.or("true", "u.", "isActive") + `, ` +
		created + `, ` + users.moment("u.", "updatedAt") + `, `
	if len(passkeys) == 0 {
		return query + `NULL::uuid, NULL::bytea, NULL::bytea, NULL::bigint, NULL::text[], NULL::text,
			NULL::timestamptz, NULL::timestamptz
			` + from + `ORDER BY ` + created + `, u.id`, text, nil
	}
	id, idKind := passkeys.firstColumn("p.", "credentialId", "credentialID")
	key, keyKind := passkeys.firstColumn("p.", "publicKey", "credentialPublicKey")
	owner, _ := passkeys.firstColumn("p.", "userId", "userID")
	counter, _ := passkeys.firstColumn("p.", "counter")
	if passkeys["id"] != "uuid" || id == "" || key == "" || owner == "" || counter == "" {
		return "", text, errors.New("the table passkey_credentials is not the original's: " +
			"it needs id (uuid), userId, credentialId, publicKey and counter")
	}
	text = passkeyText{credentialID: idKind != "bytea", publicKey: keyKind != "bytea"}
	used := passkeys.moment("p.", "lastUsedAt", "lastUsed")
	made := passkeys.moment("p.", "createdAt")
	query += `p.id, ` + bytes(id, idKind) + `, ` + bytes(key, keyKind) + `, ` + counter + `::bigint, ` +
		transports(passkeys) + `, ` + passkeys.or("NULL", "p.", "deviceName") + `::text, ` + made + `, ` + used + `
		` + from + `LEFT JOIN ` + pgx.Identifier{schema, "passkey_credentials"}.Sanitize() + ` p ON ` + owner + ` = u.id
		ORDER BY ` + created + `, u.id, ` + used + ` DESC NULLS LAST, ` + made + ` DESC NULLS LAST, p.id`
	return query, text, nil
}

// bytes returns an expression for the bytes of a column, or of its text.
func bytes(column, kind string) string {
	if kind == "bytea" {
		return column
	}
	return "convert_to(" + column + "::text, 'UTF8')"
}

// transports returns an expression for a list: an array, or TypeORM's simple-array,
// which is text with commas.
func transports(passkeys columns) string {
	column, kind := passkeys.firstColumn("p.", "transports")
	switch {
	case column == "":
		return "NULL::text[]"
	case strings.HasSuffix(kind, "[]"):
		return column + "::text[]"
	default:
		return "string_to_array(nullif(" + column + "::text, ''), ',')"
	}
}

// decode decodes base64url, with or without padding. Invalid text becomes nil,
// which is not valid for any passkey.
func decode(text []byte) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(string(text), "="))
	if err != nil {
		return nil
	}
	return raw
}
