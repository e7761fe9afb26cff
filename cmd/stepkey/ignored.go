package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/stepkey/stepkey/token"
)

// ignoredSetting is a setting that has no effect with the other settings. The reason is the text that follows
// its name.
type ignoredSetting struct{ name, reason string }

// Settings that the container image has by default, such as STEPKEY_DATA, are not checked, because the
// operator has not set them. Neither are settings that have their default value.
const (
	defaultDBPort         = 5432
	defaultKeyLifetime    = 2160 * time.Hour
	defaultRedisTimeout   = 250 * time.Millisecond
	defaultAttackFailures = 300
)

// ignored lists the settings that have no effect, so that nobody relies on them. Dangerous combinations are
// errors elsewhere.
func (s settings) ignored(now time.Time) (list []ignoredSetting) {
	hs256 := s.JWTSecret != "" && (s.TokenAlgorithm == "" || s.TokenAlgorithm == string(token.HS256))
	database := "without DB_HOST, and the database is SQLite: set DB_HOST, or remove it"
	if s.DatabaseURL != "" {
		database = "beside DATABASE_URL: remove one of them"
	}
	for _, rule := range []struct {
		name    string
		ignored bool
		reason  string
	}{
		{"JWT_SECRET_PREVIOUS", len(s.JWTSecretPrevious) > 0 && s.JWTSecret == "", "without JWT_SECRET: set it, or remove JWT_SECRET_PREVIOUS"},
		{"JWT_SECRET_PREVIOUS", s.JWTSecret != "" && slices.Contains(s.JWTSecretPrevious, s.JWTSecret), "where it repeats JWT_SECRET: put the secret of before there"},
		{"STEPKEY_JWT_SECRET_UNTIL", !s.JWTSecretUntil.IsZero() && s.JWTSecret == "", "without JWT_SECRET: remove it"},
		{"STEPKEY_JWT_SECRET_UNTIL", !s.JWTSecretUntil.IsZero() && hs256, "while tokens are signed with JWT_SECRET: set STEPKEY_TOKEN_ALGORITHM to ES256 or EdDSA to move away from it"},
		{"JWT_SECRET", s.JWTSecret != "" && !hs256 && !s.JWTSecretUntil.IsZero() && now.After(s.JWTSecretUntil), "since STEPKEY_JWT_SECRET_UNTIL has passed: remove both"},
		{"STEPKEY_KEY_LIFETIME", hs256 && s.KeyLifetime != defaultKeyLifetime, "while tokens are signed with JWT_SECRET, which does not rotate: remove it"},
		{"DB_PORT", s.DBHost == "" && s.DBPort != defaultDBPort, database},
		{"DB_USER", s.DBHost == "" && s.DBUser != "", database},
		{"DB_PASSWORD", s.DBHost == "" && s.DBPassword != "", database},
		{"DB_NAME", s.DBHost == "" && s.DBName != "", database},
		{"STEPKEY_REDIS_TIMEOUT", s.RedisURL == "" && s.RedisTimeout != defaultRedisTimeout, "without REDIS_URL: set it, or remove STEPKEY_REDIS_TIMEOUT"},
		{"STEPKEY_ATTACK_FAILURES", s.Limits == "off" && s.AttackFailures != defaultAttackFailures, "while STEPKEY_LIMITS is off"},
	} {
		if rule.ignored {
			list = append(list, ignoredSetting{rule.name, rule.reason})
		}
	}
	return list
}

// checkNumbers refuses numbers that would count as "not set".
func (s settings) checkNumbers() error {
	for _, setting := range []struct {
		name  string
		value int64
		least int64
		shown any
		say   string
	}{
		{"STEPKEY_ATTACK_FAILURES", int64(s.AttackFailures), 1, s.AttackFailures, "1 or more"},
		{"STEPKEY_MIN_PASSWORD_LENGTH", int64(s.MinPassword), 1, s.MinPassword, "a value between 8 and 64"},
		{"STEPKEY_HASH_SLOTS", int64(s.HashSlots), 0, s.HashSlots, "1 or more, or leave it out"},
		{"STEPKEY_MAX_CONNECTIONS", int64(s.MaxConnections), 0, s.MaxConnections, "1 or more, or leave it out"},
		{"STEPKEY_RECOVERY_COOL_OFF", int64(s.RecoveryCoolOff), 1, s.RecoveryCoolOff, "hours, such as 24h"},
		{"STEPKEY_SHUTDOWN_DELAY", int64(s.ShutdownDelay), 0, s.ShutdownDelay, "seconds, such as 10s, or leave it out"},
	} {
		if setting.value < setting.least {
			return fmt.Errorf("%s is %v: set it to %s", setting.name, setting.shown, setting.say)
		}
	}
	return nil
}
