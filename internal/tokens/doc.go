// Package tokens makes the tokens that clients hold and decides which of them are
// still good.
//
//   - [SigningKeys] keeps the keys that sign, and rotates them by a schedule.
//   - [RefreshTokens] derives refresh tokens from sessions.
//   - [DeviceTokens] remembers devices on which a user signed in.
//
// Nothing here knows a use-case. Each part takes the store, clock, random source and
// keys that it needs.
package tokens
