// Package tokens makes the tokens that clients hold and decides which of them are
// still good.
//
//   - [SigningKeys] keeps the keys that sign, and rotates them by a schedule.
//   - [Mint] makes access and action tokens.
//   - [RefreshTokens] derives refresh tokens from sessions.
//   - [DeviceTokens] remembers devices on which a user signed in.
//   - [EndedSessions] knows which sessions ended before their tokens expire,
//     [LoweredSessions] which lost level full, and [EndedLists] signs lists of ended
//     sessions for services elsewhere.
//
// Nothing here knows a use-case. Each part takes the store, clock, random source and
// keys that it needs.
package tokens
