package gate

import (
	"mime"
	"net/http"
	"sync"
	"time"
)

// sweepEvery is how often open streams are judged again. With the half second after which an
// instance knows of an ended session, they end within five seconds.
const sweepEvery = 2 * time.Second

// sweepers is how many streams are judged at once, so that one that waits for the store
// does not keep the others open.
const sweepers = 8

// stream is an answer without an end of its own: a WebSocket, events, or a body of unknown
// length.
type stream struct {
	passes func() bool // whether its request would pass now
	end    func()
}

// isStream reports whether an answer may go on for as long as it likes. One of a known length
// is left to end by itself.
func isStream(response *http.Response) bool {
	if response.StatusCode == http.StatusSwitchingProtocols {
		return true
	}
	if response.Body == nil || response.Body == http.NoBody {
		return false
	}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return response.ContentLength < 0 || kind == "text/event-stream"
}

// streams are all that are open. One goroutine judges them, and runs only while there are
// any. It is safe for concurrent use.
type streams struct {
	maxSockets int
	every      time.Duration

	mu       sync.Mutex
	open     map[*stream]struct{}
	sockets  int
	sweeping bool
	closed   bool
}

func newStreams(maxSockets int) *streams {
	return &streams{maxSockets: maxSockets, every: sweepEvery, open: map[*stream]struct{}{}}
}

// openSocket takes a place for a WebSocket, which closeSocket gives back. It returns false if
// there is none. Sockets leave the server's own count of connections.
func (s *streams) openSocket() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sockets >= s.maxSockets || s.closed {
		return false
	}
	s.sockets++
	return true
}

func (s *streams) closeSocket() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sockets--
}

func (s *streams) add(added *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[added] = struct{}{}
	if s.closed {
		added.end()
	}
	if !s.sweeping {
		s.sweeping = true
		go s.sweep()
	}
}

func (s *streams) remove(gone *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, gone)
}

func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for stream := range s.open {
		stream.end()
	}
}

// sweep ends the streams that no longer pass, until there are none.
func (s *streams) sweep() {
	for {
		time.Sleep(s.every)
		list, ok := s.list()
		if !ok {
			return
		}
		queue := make(chan *stream)
		var judging sync.WaitGroup
		for range min(len(list), sweepers) {
			judging.Go(func() {
				for stream := range queue {
					if !stream.passes() {
						stream.end()
					}
				}
			})
		}
		for _, stream := range list {
			queue <- stream
		}
		close(queue)
		judging.Wait()
	}
}

// list returns the open streams. If there are none, it says so and that the goroutine ends.
func (s *streams) list() ([]*stream, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) == 0 {
		s.sweeping = false
		return nil, false
	}
	list := make([]*stream, 0, len(s.open))
	for stream := range s.open {
		list = append(list, stream)
	}
	return list, true
}
