package main

import "strings"

// settingNames replaces the names of fields by those of settings: the library's errors name Config fields and
// the URLs passed to it, which operators do not know.
var settingNames = strings.NewReplacer(
	"gate: the upstream", "STEPKEY_GATE_UPSTREAM: the upstream",
	"Config.RPID", "RP_ID",
	"Config.Origins", "RP_ORIGIN",
	"Config.RelatedOrigins", "STEPKEY_RELATED_ORIGINS",
	"Config.AppOrigins", "STEPKEY_APP_ORIGINS",
	"Config.PublicURL", "STEPKEY_PUBLIC_URL",
	"Config.SharedSecretUntil", "STEPKEY_JWT_SECRET_UNTIL",
	"Config.SharedSecret", "JWT_SECRET",
	"Config.PreviousSharedSecrets", "JWT_SECRET_PREVIOUS",
	"Config.Secret", "STEPKEY_SECRET",
	"Config.Algorithm", "STEPKEY_TOKEN_ALGORITHM",
	"Config.KeyLifetime", "STEPKEY_KEY_LIFETIME",
	"Config.MinPasswordLength", "STEPKEY_MIN_PASSWORD_LENGTH",
	"Config.RecoveryCoolOff", "STEPKEY_RECOVERY_COOL_OFF",
	"Config.SignUp", "STEPKEY_SIGNUP",
	"Config.RequireConfirmedAddress", "STEPKEY_REQUIRE_CONFIRMED_ADDRESS",
	"Config.Mailer", "SMTP_URL",
	"Config.Languages", "STEPKEY_MESSAGES",
	"Config.Language", "STEPKEY_LANGUAGE",
	"Config.HashWait", "STEPKEY_HASH_WAIT",
	"Config.ReservedNames", "STEPKEY_RESERVED_NAMES",
	"Config.OwnClaims", "STEPKEY_CLAIMS",
	"Config.DangerNoLimits", "STEPKEY_LIMITS=off",
	"smtpmail: Config.URL", "SMTP_URL",
	"smtpmail: Config.Name", "RP_NAME",
	"smtpmail: Config.From", "STEPKEY_MAIL_FROM",
	"redisstore: the URL", "REDIS_URL",
	"postgres: the URL", "DATABASE_URL",
	"the database URL", "DATABASE_URL",
	"Options.Schema", "STEPKEY_DB_SCHEMA",
	"Options.Languages", "STEPKEY_MESSAGES",
	"Options.Language", "STEPKEY_LANGUAGE",
	"Options.Timeout", "STEPKEY_DB_TIMEOUT",
)
