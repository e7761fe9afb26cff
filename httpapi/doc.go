// Package httpapi is Stepkey's JSON API as an http.Handler over a
// *stepkey.Service.
//
//	handler := httpapi.New(service, httpapi.Options{})
//	server := httpapi.NewServer(handler, httpapi.ServerOptions{})
//	server.Addr = "localhost:3000"
//	err := server.ListenAndServe()
//
// [Options] leave out what an application does not need. To mount the handler below a
// path, use [http.StripPrefix]; links in answers and pages follow it. Links in mails follow
// [stepkey.Config.PublicURL], which needs the same path.
//
// The contract is openapi.json, which the handler serves at /openapi.json. It is
// assembled from the files in the folder openapi, one for each resource, and from the
// problems in problem.go (make generate); tests hold that it is current and that
// every route is in it. One file holds the routes of one resource, routes.go lists
// them all.
//
// A request is taken strictly: JSON only, bounded, members neither named twice
// nor in the wrong case. An answer that is not a success is a problem document
// (RFC 9457) with a stable code, written in problem.go and nowhere else. Nothing
// that the client sent comes back in it, and no text of a library.
//
// [NewServer] bounds time, headers and connections. An http.Server of your own should
// have timeouts too.
package httpapi
