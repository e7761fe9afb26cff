// Package gate lets requests to an application pass by the rules of package gate/rules. A
// [Proxy] stands in front of one application. [NewForwardAuth] answers proxies that ask
// before each request: forward_auth of Caddy, ForwardAuth of Traefik, auth_request of nginx.
package gate
