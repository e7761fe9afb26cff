// Package password hashes and verifies passwords, refuses new ones that are too
// weak, and bounds how many hashes run at once. [Keeper] joins these parts for a
// service: it hashes new passwords, compares typed ones, and keeps the time of a
// failed login from telling which names exist.
//
// # Hashes
//
// [Hasher.Hash] makes argon2id hashes in PHC form. The parameters are part of
// the hash, so they can be raised later: [Hasher.Verify] accepts older ones and
// says that the hash should be replaced. It also accepts bcrypt as the original
// service stored it, and scrypt and PBKDF2 from other systems; [Check] says
// which. The caller replaces the hash with a compare-and-swap on the old one,
// so that it never undoes a concurrent password change.
//
// argon2id hashes are made over the NFKC form of the password, because two
// keyboards may send the same letters as different code points (NIST SP 800-63B-4
// §3.1.1.2). Hashes of other kinds are checked against the bytes as received,
// because that is what other systems hash. The new hash made after such a sign-in
// covers every byte that was typed.
//
// # Weak passwords
//
// [Policy.Check] applies at sign-up and at a change, and never at sign-in.
// There are no composition rules (ASVS 6.2.5).
//
// # Load
//
// A hash costs 19 MiB and about 25 ms of a core. [Gate] lets a few run at once,
// keeps a short queue and refuses the rest at once, so that a flood of sign-ins
// neither uses up memory nor delays requests that need no hash. A [Hasher] keeps the
// memory of the hashes that ran for the next ones.
//
// The package gets its randomness from its caller, and reads the clock only to
// measure how long hashes take and to wait. It never logs a password or a hash.
package password
