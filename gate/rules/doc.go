// Package rules decides which requests to an application pass, by the rules of an
// operator's file:
//
//	[purposes]
//	payout = '"Pay out": passkey within 10m'
//
//	[[app]]
//	origin = "https://app.example.com"
//	rules = [
//	  "open            GET   /static/**",
//	  "password        *     /**",
//	  "full            *     /admin/**     group=ops",
//	  "full<10m        POST  /payouts      group=finance user=mira",
//	  "purpose:payout  POST  /transfers/*",
//	  "deny            *     /internal/**",
//	]
//
// The most specific rule that matches a request decides, whatever the order. Two rules
// must not overlap unless one of them matches all that the other one matches. A rule must
// not be weaker than one around it unless it is open or ends with the word weaker. A
// request that no rule matches is denied.
//
// The package knows nothing of HTTP beyond the words of a request line. docs/gate.md is
// the reference of the file.
package rules
