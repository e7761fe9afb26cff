package faults_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"time"
)

// wires is a transport that sends each request and reads its answer on the goroutine of its caller, over plain HTTP/1.1.
// http.Transport has two more goroutines for each connection, which take a quarter of the CPU time of a storm, and
// a storm shares the CPUs with the service.
type wires struct{ idle chan wire }

type wire struct {
	net.Conn
	in *bufio.Reader
}

func newWires(connections int) wires { return wires{make(chan wire, connections)} }

// RoundTrip implements http.RoundTripper. The answer has been read as a whole.
func (w wires) RoundTrip(r *http.Request) (*http.Response, error) {
	c, err := w.take(r.URL.Host)
	if err != nil {
		return nil, err
	}
	response, err := c.exchange(r)
	if err != nil || response.Close {
		c.Close()
		return response, err
	}
	select {
	case w.idle <- c:
	default:
		c.Close()
	}
	return response, nil
}

// CloseIdleConnections is called by the method of http.Client.
func (w wires) CloseIdleConnections() {
	for {
		select {
		case c := <-w.idle:
			c.Close()
		default:
			return
		}
	}
}

func (w wires) take(address string) (wire, error) {
	select {
	case c := <-w.idle:
		return c, nil
	default:
	}
	c, err := net.DialTimeout("tcp", address, answerWithin)
	if err != nil {
		return wire{}, err
	}
	return wire{c, bufio.NewReader(c)}, nil
}

func (c wire) exchange(r *http.Request) (*http.Response, error) {
	if err := c.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return nil, err
	}
	var out bytes.Buffer // one write
	if err := r.Write(&out); err != nil {
		return nil, err
	}
	if _, err := c.Write(out.Bytes()); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(c.in, r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, err
}
