package token

import "context"

// Verified holds the claims of an access token that passed every check of a [Verifier]. Only
// [Verifier.VerifyCaller] makes one, so code that acts on a caller's behalf can require a
// Verified instead of Claims, which anyone can fill in. The zero Verified has no claims.
type Verified struct {
	claims Claims
	by     *Verifier
}

// Claims returns the token's claims.
func (v Verified) Claims() Claims { return v.claims }

// By reports whether verifier made v. A token accepted by another service's verifier proves
// nothing here.
func (v Verified) By(verifier *Verifier) bool { return v.by != nil && v.by == verifier }

// VerifyCaller is like [Verifier.Verify], but returns a result that only
// verification can make.
func (v *Verifier) VerifyCaller(ctx context.Context, raw string) (Verified, error) {
	claims, err := v.Verify(ctx, raw)
	if err != nil {
		return Verified{}, err
	}
	return Verified{claims: claims, by: v}, nil
}
