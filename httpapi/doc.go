// Package httpapi is Stepkey's JSON API as an http.Handler over a
// *stepkey.Service.
//
//	handler := httpapi.New(service, httpapi.Options{})
//	server := httpapi.NewServer(handler, httpapi.ServerOptions{})
//	server.Addr = "localhost:3000"
//	err := server.ListenAndServe()
//
// [Options] can leave out parts that an application does not need. To mount the handler
// below a path, use [http.StripPrefix]; links in answers and pages then include that path.
// Links in mails use [stepkey.Config.PublicURL], which must have the same path.
//
// The contract is openapi.json, which the handler serves at /openapi.json. It is
// assembled from the files in the folder openapi, one for each resource, and from the
// problems in problem.go (make generate); tests check that it is current and that
// every route is in it. Each resource has a file with its handlers; routes.go lists
// all routes.
//
// Requests are read strictly: JSON only, bounded, no member named twice or in
// the wrong case. Every error answer is a problem document (RFC 9457) with a
// stable code; only problem.go writes them. It contains nothing that the client
// sent and no text of a library.
//
// [NewServer] bounds time, headers and connections. If you use an http.Server of your
// own, set timeouts too.
package httpapi
