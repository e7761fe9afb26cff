package password_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/password"
)

func b64(raw string) string { return base64.RawStdEncoding.EncodeToString([]byte(raw)) }

// fromHex is a key as the RFCs print it, in the base64 of the formats.
func fromHex(t *testing.T, digits string) string {
	t.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b64(string(raw))
}

func TestVerifyKnownAnswers(t *testing.T) {
	const greek = "Ιωαννης" // passlib's word for testing UTF-8
	tests := []struct{ source, password, encoded string }{
		// The first vector of RFC 7914 §12 has no salt, the last takes a gigabyte.
		{"RFC 7914 §12, second", "password", "$scrypt$ln=10,r=8,p=16$" + b64("NaCl") + "$" + fromHex(t,
			"fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"+
				"2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640")},
		{"RFC 7914 §12, third", "pleaseletmein", "$scrypt$ln=14,r=8,p=1$" + b64("SodiumChloride") + "$" + fromHex(t,
			"7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"+
				"d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")},
		{
			"passlib's documentation of scrypt", "password",
			"$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
		},
		{
			"crypt's scrypt, RFC 7914's third vector", "pleaseletmein",
			"$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D",
		},
		{
			"libsodium's tests", "Y0!?iQa9M%5ekffW(`",
			"$7$A6....1....TrXs5Zk6s8sWHpQgWDIXTR8kUU3s6Jc3s.DtdS8M2i4$a4ik5hGDN7foMuHOW.cp.CtX01UyCeO0.JAG.AHPpx5",
		},

		{
			"RFC 6070, 4096 iterations", "password",
			"$pbkdf2$i=4096$" + b64("salt") + "$" + fromHex(t, "4b007901b765489abead49d926f721d065a429c1"),
		},
		{"RFC 6070, several blocks", "passwordPASSWORDpassword", "$pbkdf2-sha1$i=4096,l=25$" +
			b64("saltSALTsaltSALTsaltSALTsaltSALTsalt") + "$" + fromHex(t, "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038")},
		{
			"RFC 6070, NUL", "pass\x00word",
			"$pbkdf2$i=4096$" + b64("sa\x00lt") + "$" + fromHex(t, "56fa6aa75548099dcc37d7f03425e0c3"),
		},
		{"RFC 7914 §11, one iteration", "passwd", "$pbkdf2-sha256$i=1,l=64$" + b64("salt") + "$" + fromHex(t,
			"55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"+
				"49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783")},
		{"RFC 7914 §11, 80000 iterations", "Password", "$pbkdf2-sha256$i=80000$" + b64("NaCl") + "$" + fromHex(t,
			"4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"+
				"a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d")},
		{"passlib's tests of pbkdf2_sha1", "password", "$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI"},
		{"passlib's tests of pbkdf2_sha1, Greek", greek, "$pbkdf2$1212$THDqatpidANpadlLeTeOEg$HV3oi1k5C5LQCgG1BMOL.BX4YZc"},
		{
			"passlib's documentation of pbkdf2_sha256", "password",
			"$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdAw$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M",
		},
		{
			"passlib's older documentation", "password",
			"$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44",
		},
		{"passlib's tests of pbkdf2_sha512", "password", "$pbkdf2-sha512$1212$RHY0Fr3IDMSVO/RSZyb5ow$" +
			"eNLfBK.eVozomMr.1gYa17k9B7KIK25NOEshvhrSX.esqY3s.FvWZViXz4KoLlQI.BzY/YTNJOiKc5gBYFYGww"},
		{
			"Django's tests", "lètmein",
			"pbkdf2_sha256$600000$seasalt$OAXyhAQ/4ZDA9V5RMExt3C1OwQdUpLZ99vm1McFlLRA=",
		},
	}
	hasher := newHasher(t, cheap())
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			if err := password.Check(tt.encoded); err != nil {
				t.Fatalf("Check: %v", err)
			}
			if ok, rehash := verify(t, hasher, tt.encoded, tt.password); !ok || !rehash {
				t.Errorf("Verify = %v, rehash %v; want true, true", ok, rehash)
			}
			if ok, rehash := verify(t, hasher, tt.encoded, tt.password+" "); ok || rehash {
				t.Errorf("another password: Verify = %v, rehash %v; want false, false", ok, rehash)
			}
			if hasher.FailureFloor(tt.encoded) == 0 {
				t.Error("it is not taken for one of an old kind")
			}
		})
	}
}

// A hash over the ceiling that was computed in spite of it would make this test take
// hours, or all memory.
func TestVerifyRefusesBadLegacyHashes(t *testing.T) {
	const crypt = "kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D"
	key64 := strings.Repeat("A", 86)
	scrypt := func(params string) string { return "$scrypt$" + params + "$c2FsdA$" + key32 }
	pbkdf2 := func(params string) string { return "$pbkdf2-sha256$" + params + "$c2FsdA$" + key32 }
	passlib := func(rounds string) string { return strings.ReplaceAll(pbkdf2(rounds), "+", ".") }
	tests := []struct {
		name, encoded string
		want          error
	}{
		{"scrypt of 128 MiB, as OWASP asks", scrypt("ln=17,r=8,p=1"), nil},
		{"scrypt of 128 MiB in smaller blocks", scrypt("ln=20,r=1,p=1"), nil},
		{"scrypt, eight times 16 MiB", scrypt("ln=14,r=8,p=8"), nil},
		{"scrypt of 256 MiB", scrypt("ln=18,r=8,p=1"), password.ErrExcessive},
		{"scrypt of 128 MiB twice", scrypt("ln=17,r=8,p=2"), password.ErrExcessive},
		{"scrypt, nine times 16 MiB", scrypt("ln=14,r=8,p=9"), password.ErrExcessive},
		{"scrypt over and over", scrypt("ln=1,r=1,p=4294967295"), password.ErrExcessive},
		{"scrypt with a product beyond 64 bits", scrypt("ln=31,r=4294967295,p=4294967295"), password.ErrExcessive},
		{"scrypt with a product that wraps to zero", scrypt("ln=31,r=2147483648,p=4"), password.ErrExcessive},
		{"scrypt with a shift beyond 64 bits", scrypt("ln=64,r=8,p=1"), password.ErrExcessive},
		{"scrypt with N = 1", scrypt("ln=0,r=8,p=1"), password.ErrMalformed},
		{"scrypt with r = 0", scrypt("ln=4,r=0,p=1"), password.ErrMalformed},
		{"scrypt with p = 0", scrypt("ln=4,r=8,p=0"), password.ErrMalformed},
		{"scrypt without p", scrypt("ln=4,r=8"), password.ErrMalformed},
		{"scrypt in another order", scrypt("r=8,ln=4,p=1"), password.ErrMalformed},
		{"scrypt with a leading zero", scrypt("ln=04,r=8,p=1"), password.ErrMalformed},
		{"scrypt without salt", "$scrypt$ln=4,r=8,p=1$$" + key32, password.ErrMalformed},
		{"scrypt with a long salt", "$scrypt$ln=4,r=8,p=1$" + strings.Repeat("A", 87) + "$" + key32, password.ErrMalformed},
		{"scrypt with a short key", "$scrypt$ln=4,r=8,p=1$c2FsdA$c2FsdA", password.ErrMalformed},
		{"scrypt with padding", scrypt("ln=4,r=8,p=1") + "=", password.ErrMalformed},
		{"scrypt with one more field", scrypt("ln=4,r=8,p=1") + "$", password.ErrMalformed},
		{"scrypt of another dialect", "$s0$e0801$c2FsdA$" + key32, password.ErrUnsupported},

		{"crypt", "$7$4/..../....salt$" + crypt, nil},
		{"crypt of 256 MiB", "$7$G6..../....salt$" + crypt, password.ErrExcessive},
		{"crypt with everything at its largest", "$7$zzzzzzzzzzzsalt$" + crypt, password.ErrExcessive},
		{"crypt with N = 1", "$7$./..../....salt$" + crypt, password.ErrMalformed},
		{"crypt with r = 0", "$7$4...../....salt$" + crypt, password.ErrMalformed},
		{"crypt outside the alphabet", "$7$4/..+./....salt$" + crypt, password.ErrMalformed},
		{"crypt cut in its parameters", "$7$4/....", password.ErrMalformed},
		{"crypt without key", "$7$4/..../....salt", password.ErrMalformed},
		{"crypt without salt", "$7$4/..../....$" + crypt, password.ErrMalformed},
		{"crypt with a long salt", "$7$4/..../...." + strings.Repeat("s", 65) + "$" + crypt, password.ErrMalformed},
		{"crypt with a long key", "$7$4/..../....salt$" + crypt + ".", password.ErrMalformed},
		{"crypt with bits left over", "$7$4/..../....salt$" + crypt[:42] + "z", password.ErrMalformed},

		{"pbkdf2 at the ceiling", pbkdf2("i=2000000"), nil},
		{"pbkdf2 over the ceiling", pbkdf2("i=2000001"), password.ErrExcessive},
		{"passlib's", passlib("29000"), nil},
		{"passlib's over the ceiling", passlib("2000001"), password.ErrExcessive},
		{"Django's over the ceiling", "pbkdf2_sha256$2000001$salt$" + key32 + "=", password.ErrExcessive},
		{"pbkdf2 beyond 32 bits", pbkdf2("i=99999999999"), password.ErrExcessive},
		{"pbkdf2 over the ceiling in two blocks", "$pbkdf2-sha256$i=1000001$c2FsdA$" + key64, password.ErrExcessive},
		{"pbkdf2 of SHA-1 in four blocks", "$pbkdf2-sha1$i=500001$c2FsdA$" + key64, password.ErrExcessive},
		{"pbkdf2 of SHA-512 counts twice", "$pbkdf2-sha512$i=1000001$c2FsdA$" + key64, password.ErrExcessive},
		{"pbkdf2 of SHA-512 at the ceiling", "$pbkdf2-sha512$i=1000000$c2FsdA$" + key64, nil},
		{"pbkdf2 without iterations", pbkdf2("i=0"), password.ErrMalformed},
		{"pbkdf2 without a number", pbkdf2("i="), password.ErrMalformed},
		{"pbkdf2 with a leading zero", pbkdf2("i=01212"), password.ErrMalformed},
		{"pbkdf2 with the key's length", pbkdf2("i=1000,l=32"), nil},
		{"pbkdf2 with another length", pbkdf2("i=1000,l=31"), password.ErrMalformed},
		{"pbkdf2 with half a length", pbkdf2("i=1000,"), password.ErrMalformed},
		{"passlib's with a leading zero", passlib("01212"), password.ErrMalformed},
		{"passlib's with a length", passlib("1000,l=32"), password.ErrMalformed},
		{"pbkdf2 in passlib's base64", "$pbkdf2-sha256$i=1$OB.dtnSE$" + key32, password.ErrMalformed},
		{"passlib's in plain base64", "$pbkdf2-sha256$1$OB+dtnSE$" + key32, password.ErrMalformed},
		{"pbkdf2 of MD5", "$pbkdf2-md5$i=1000$c2FsdA$" + key32, password.ErrUnsupported},
		{"pbkdf2 without salt", "$pbkdf2-sha256$i=1000$$" + key32, password.ErrMalformed},
		{"pbkdf2 cut", "$pbkdf2-sha256$i=1000$c2FsdA", password.ErrMalformed},
		{"pbkdf2 with nothing", "$pbkdf2", password.ErrMalformed},
		{"Django's without salt", "pbkdf2_sha256$1000$$" + key32 + "=", password.ErrMalformed},
		{"Django's without padding", "pbkdf2_sha256$1000$salt$" + key32, password.ErrMalformed},
		{"Django's cut", "pbkdf2_sha256$1000$salt", password.ErrMalformed},
		{"Django's of another digest", "pbkdf2_sha3$1000$salt$" + key32 + "=", password.ErrUnsupported},
		{"bcrypt under the least cost", "$2b$03$" + strings.Repeat("/", 53), password.ErrMalformed},
		{"Django's unusable password", "!dXNlciB3aXRob3V0IHBhc3N3b3Jk", password.ErrMalformed},
	}
	hasher := newHasher(t, cheap())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := password.Check(tt.encoded); !errors.Is(err, tt.want) {
				t.Errorf("Check: %v, want %v", err, tt.want)
			}
			if tt.want == nil {
				return // some of these take seconds
			}
			ok, rehash, err := hasher.Verify(tt.encoded, "abc")
			if !errors.Is(err, tt.want) || ok || rehash {
				t.Errorf("Verify = %v, rehash %v, %v; want %v", ok, rehash, err, tt.want)
			}
		})
	}
}

// A hash of argon2id that was made elsewhere, of the bytes as typed, lets its owner in
// and is remade.
func TestVerifyArgon2idOfBytesAsTyped(t *testing.T) {
	// printf 'Zoe\xcc\x88-passphrase' | argon2 saltsalt -id -t 1 -k 8 -p 1 -l 32 -e
	const encoded = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$XrejI1Jiyt6yosHaV6WkqKWuFrVIt78lbCBBfPOQU9c"
	hasher := newHasher(t, cheap())
	for typed, want := range map[string]bool{"Zoe\u0308-passphrase": true, "Zoë-passphrase": false, "Zoe-passphrase": false} {
		if ok, rehash := verify(t, hasher, encoded, typed); ok != want || rehash != want {
			t.Errorf("%q: Verify = %v, rehash %v; want both %v", typed, ok, rehash, want)
		}
	}
}
