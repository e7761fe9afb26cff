package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/go-cmp/cmp"
)

// document is the description that every answer is held against.
type document struct {
	spec   *openapi3.T
	router routers.Router
}

var loadDocument = sync.OnceValues(func() (*document, error) {
	for _, mediaType := range []string{"application/problem+json", "application/jwk-set+json"} {
		openapi3filter.RegisterBodyDecoder(mediaType, openapi3filter.JSONBodyDecoder)
	}
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
	loader := openapi3.NewLoader()
	spec, err := loader.LoadFromFile("../../httpapi/openapi.json")
	if err != nil {
		return nil, err
	}
	if err := spec.Validate(loader.Context); err != nil {
		return nil, err
	}
	router, err := gorillamux.NewRouter(spec)
	return &document{spec, router}, err
})

// checked is the transport of every client here. It fails the test for each
// answer that the document does not foresee.
type checked struct {
	tb   testing.TB
	base http.RoundTripper
	doc  *document
}

func newTransport(tb testing.TB) http.RoundTripper {
	tb.Helper()
	doc, err := loadDocument()
	if err != nil {
		tb.Fatal(err)
	}
	base := &http.Transport{MaxIdleConnsPerHost: 64}
	tb.Cleanup(base.CloseIdleConnections)
	return checked{tb, base, doc}
}

// RoundTrip implements http.RoundTripper.
func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	sent, err := bodyOf(r)
	if err != nil {
		return nil, err
	}
	response, err := c.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err := c.doc.check(r, sent, response, body); err != nil {
		c.tb.Errorf("%s %s: %d: %v\nsent %.500q\ngot %.500s", r.Method, r.URL.Path, response.StatusCode, err, sent, body)
	}
	return response, nil
}

func bodyOf(r *http.Request) ([]byte, error) {
	if r.GetBody == nil {
		return nil, nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(body)
}

// check holds one exchange against the document.
func (d *document) check(r *http.Request, sent []byte, response *http.Response, body []byte) error {
	if response.StatusCode == http.StatusRequestHeaderFieldsTooLarge {
		return nil // net/http's own, before any handler
	}
	if err := checkSecurityHeaders(response.Header); err != nil {
		return err
	}
	if response.StatusCode >= http.StatusInternalServerError && !isOverload(body) {
		return errors.New("the server is at fault")
	}
	expected, err := d.expectedResponse(r, response.StatusCode)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		if len(body) > 0 {
			return errors.New("HEAD with a body")
		}
		return nil
	}
	if err := d.checkExchange(r, sent, response, body, expected); err != nil {
		return err
	}
	return checkBody(response.Header, body, expected)
}

// isOverload tells the one refusal above 499 that is no fault: the server has
// more passwords to hash than it can in good time, which a test that sends many
// at once has to expect.
func isOverload(body []byte) bool {
	var problem struct{ Code string }
	return json.Unmarshal(body, &problem) == nil && problem.Code == "overloaded"
}

// expectedResponse returns the document's response for this status. A request for a path
// or method that is not in the document can only be 404 or 405.
func (d *document) expectedResponse(r *http.Request, status int) (*openapi3.Response, error) {
	asked := r.Clone(r.Context())
	if r.Method == http.MethodHead && !strings.HasSuffix(r.URL.Path, "/options") {
		asked.Method = http.MethodGet
	}
	route, _, err := d.router.FindRoute(asked)
	name := ""
	switch {
	case errors.Is(err, routers.ErrMethodNotAllowed) && status == http.StatusMethodNotAllowed:
		name = "MethodNotAllowed"
	case errors.Is(err, routers.ErrPathNotFound) && status == http.StatusNotFound:
		name = "NotFound"
	case err != nil:
		return nil, err
	default:
		if ref := route.Operation.Responses.Status(status); ref != nil {
			return ref.Value, nil
		}
		return nil, errors.New("the document has no such status for this path")
	}
	return d.spec.Components.Responses[name].Value, nil
}

// checkExchange has kin-openapi check headers and schemas. A request that
// succeeded has to be one that the document describes.
func (d *document) checkExchange(
	r *http.Request, sent []byte, response *http.Response, body []byte, expected *openapi3.Response,
) error {
	request := r.Clone(r.Context())
	request.Body = io.NopCloser(bytes.NewReader(sent))
	input := &openapi3filter.RequestValidationInput{
		Request: request,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true,
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		},
	}
	route, parameters, err := d.router.FindRoute(request)
	if err != nil {
		// 404 and 405 belong to no operation; give them one.
		description := "of no operation"
		expected.Description = &description
		route = &routers.Route{Spec: d.spec, Operation: &openapi3.Operation{
			Responses: openapi3.NewResponses(openapi3.WithStatus(response.StatusCode, &openapi3.ResponseRef{Value: expected})),
		}}
	}
	input.Route, input.PathParams = route, parameters
	if response.StatusCode < http.StatusBadRequest {
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			return fmt.Errorf("the server took a request that the document does not describe: %w", err)
		}
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header,
		Body: io.NopCloser(bytes.NewReader(body)), Options: input.Options,
	})
}

// checkBody goes beyond schemas: no member that is not in the document, and
// problems to the letter.
func checkBody(h http.Header, body []byte, expected *openapi3.Response) error {
	contentType := h.Get("Content-Type")
	if len(expected.Content) == 0 {
		if len(body) > 0 {
			return errors.New("a body that the document does not describe")
		}
		return nil
	}
	mediaType := expected.Content.Get(contentType)
	if mediaType == nil {
		return fmt.Errorf("unexpected Content-Type %q", contentType)
	}
	if contentType == "text/html; charset=utf-8" || contentType == "application/octet-stream" {
		return nil
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return err
	}
	if contentType == "application/problem+json" {
		return checkProblem(h, value, mediaType)
	}
	return undescribed(value, mediaType.Schema.Value, "")
}

// checkProblem compares a problem with the document's example of its code,
// which says each word of it but for the request's id and a passkey's time.
func checkProblem(h http.Header, value any, mediaType *openapi3.MediaType) error {
	got, _ := value.(map[string]any)
	code, _ := got["code"].(string)
	example := mediaType.Examples[code]
	if example == nil {
		return fmt.Errorf("the document has no problem %q for this status, only %q",
			code, slices.Sorted(maps.Keys(mediaType.Examples)))
	}
	want := maps.Clone(example.Value.Value.(map[string]any))
	if _, foreseen := want["requestId"]; foreseen {
		want["requestId"] = h.Get("X-Request-Id")
	}
	for _, member := range []string{"usableFrom", "possibleFrom"} {
		if _, foreseen := want[member]; foreseen {
			if _, err := time.Parse(time.RFC3339, fmt.Sprint(got[member])); err != nil {
				return err
			}
			want[member] = got[member]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("the problem differs from the document's (-document +answer):\n%s", diff)
	}
	return nil
}

// undescribed looks for members of value that schema does not name.
func undescribed(value any, schema *openapi3.Schema, where string) error {
	switch value := value.(type) {
	case map[string]any:
		if len(schema.OneOf) > 0 {
			return undescribedByAll(value, schema.OneOf, where)
		}
		if len(schema.Properties) == 0 {
			return nil // an object of any shape
		}
		for name, member := range value {
			property := schema.Properties[name]
			if property == nil {
				return fmt.Errorf("the document does not name the member %s.%s", where, name)
			}
			if err := undescribed(member, property.Value, where+"."+name); err != nil {
				return err
			}
		}
	case []any:
		for _, element := range value {
			if err := undescribed(element, schema.Items.Value, where+"[]"); err != nil {
				return err
			}
		}
	}
	return nil
}

// undescribedByAll is for a value that has one of several shapes.
func undescribedByAll(value any, schemas openapi3.SchemaRefs, where string) error {
	var errs []error
	for _, schema := range schemas {
		err := undescribed(value, schema.Value, where)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// checkSecurityHeaders holds what every answer carries, errors included.
func checkSecurityHeaders(h http.Header) error {
	csp := h.Get("Content-Security-Policy")
	switch {
	case h.Get("X-Content-Type-Options") != "nosniff":
		return errors.New("no nosniff")
	case h.Get("Referrer-Policy") != "no-referrer":
		return fmt.Errorf("Referrer-Policy %q", h.Get("Referrer-Policy"))
	case h.Get("Permissions-Policy") != "publickey-credentials-create=(self), publickey-credentials-get=(self)":
		return fmt.Errorf("Permissions-Policy %q", h.Get("Permissions-Policy"))
	case h.Get("Cross-Origin-Opener-Policy") != "same-origin":
		return fmt.Errorf("Cross-Origin-Opener-Policy %q", h.Get("Cross-Origin-Opener-Policy"))
	case !strings.HasPrefix(csp, "default-src 'none'"), !strings.Contains(csp, "frame-ancestors 'none'"),
		strings.Contains(csp, "unsafe"):
		return fmt.Errorf("Content-Security-Policy %q", csp)
	case h.Get("Cache-Control") == "":
		return errors.New("no Cache-Control")
	case h.Get("Cache-Control") == "no-store" && h.Get("ETag") != "":
		return errors.New("an ETag on what must not be stored")
	case h.Get("Server") != "" || h.Get("X-Powered-By") != "":
		return errors.New("the server names its software")
	}
	return nil
}
