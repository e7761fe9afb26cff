package token

import "context"

// Verified is the claims of an access token that passed every check of a [Verifier]. Only
// [Verifier.VerifyCaller] makes one, so that code which acts on a caller's behalf can ask for a
// Verified instead of Claims, which anybody can fill in. The zero Verified stands for nobody.
type Verified struct {
	claims Claims
	by     *Verifier
}

// Claims returns what the token says.
func (v Verified) Claims() Claims { return v.claims }

// By reports whether verifier made v. A token that the verifier of another service accepted
// proves nothing here.
func (v Verified) By(verifier *Verifier) bool { return v.by != nil && v.by == verifier }

// VerifyCaller is [Verifier.Verify] with a result that only verification can make.
func (v *Verifier) VerifyCaller(ctx context.Context, raw string) (Verified, error) {
	claims, err := v.Verify(ctx, raw)
	if err != nil {
		return Verified{}, err
	}
	return Verified{claims: claims, by: v}, nil
}
