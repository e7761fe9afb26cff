// Package gate tests /forward-auth behind real proxies, with the configurations of examples/gate: what is known to have
// bypassed gates is sent to each as raw bytes, and two apps record what reaches them. A browser signs in at both apps
// through each proxy, and follows the tutorial of the gate, with the build tag hosts: Chromium 156 stops answering now
// and then once another process takes over a page that has a virtual authenticator, so CI leaves these out.
package gate
