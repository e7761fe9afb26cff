package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// nginxConfig is nginx with one process on a port, in front of an application, for which it asks at another address. What it
// tells, and what it takes from the answer, are the lines of examples/gate/nginx.conf.
const nginxConfig = `
daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  upstream asked { server ASKED; keepalive 32; keepalive_requests 100000000; }
  upstream app { server APP; keepalive 32; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:PORT;
    proxy_http_version 1.1;
    proxy_buffer_size 16k; proxy_buffers 4 16k;
    location = /_stepkey/auth {
      internal;
      proxy_pass http://asked/forward-auth?proxy=nginx;
      proxy_method GET; proxy_pass_request_body off;
      proxy_set_header Content-Length ""; proxy_set_header Connection ""; proxy_set_header Host app.example.com;
      proxy_set_header X-Forwarded-Host app.example.com; proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-Method $request_method; proxy_set_header X-Forwarded-Uri $request_uri;
      proxy_set_header X-Forwarded-For $remote_addr;
    }
    location / {
      auth_request /_stepkey/auth;
      auth_request_set $stepkey_user $upstream_http_x_stepkey_user;
      auth_request_set $stepkey_name $upstream_http_x_stepkey_name;
      auth_request_set $stepkey_email $upstream_http_x_stepkey_email;
      auth_request_set $stepkey_groups $upstream_http_x_stepkey_groups;
      auth_request_set $stepkey_level $upstream_http_x_stepkey_level;
      auth_request_set $stepkey_passkey_time $upstream_http_x_stepkey_passkey_time;
      auth_request_set $stepkey_assertion $upstream_http_x_stepkey_assertion;
      auth_request_set $app_cookies $upstream_http_cookie;
      proxy_set_header X-Stepkey-User $stepkey_user; proxy_set_header X-Stepkey-Name $stepkey_name;
      proxy_set_header X-Stepkey-Email $stepkey_email; proxy_set_header X-Stepkey-Groups $stepkey_groups;
      proxy_set_header X-Stepkey-Level $stepkey_level; proxy_set_header X-Stepkey-Passkey-Time $stepkey_passkey_time;
      proxy_set_header X-Stepkey-Assertion $stepkey_assertion; proxy_set_header Cookie $app_cookies;
      proxy_set_header Connection ""; proxy_set_header Host app.example.com;
      proxy_pass http://app;
    }
  }
}
`

// measureNginx compares the cost of a page in nginx and in the service that it asks with the cost in nginx and in a bare server that
// answers 204. Without nginx there is no such row.
func measureNginx(ctx context.Context, dir string, service, bare *server, cookies []string, rounds int) ([]gateCost, error) {
	path, err := nginxPath()
	if err != nil {
		fmt.Fprintln(os.Stderr, "not measured with nginx:", err)
		return nil, nil
	}
	fmt.Fprintln(os.Stderr, "measuring /forward-auth behind nginx")
	app, err := startBare(ctx, answers{"GET /page": {
		Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/html"}, "Content-Length": {"2048"}}, Body: make([]byte, 2048),
	}})
	if err != nil {
		return nil, err
	}
	defer app.stop()
	front, err := startNginx(ctx, path, filepath.Join(dir, "nginx-ours"), app, service)
	if err != nil {
		return nil, err
	}
	defer front.stop()
	bareFront, err := startNginx(ctx, path, filepath.Join(dir, "nginx-bare"), app, bare)
	if err != nil {
		return nil, err
	}
	defer bareFront.stop()
	return compareGate(ctx, gateCost{operation: "a page through nginx, which asks /forward-auth", yardstick: "nginx, which asks for a 204"},
		side{service, front, "/page?x=1"}, side{bare, bareFront, "/page?x=1"}, http.Header{"Cookie": cookies}, rounds)
}

func nginxPath() (string, error) {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/nginx") // where Debian has it, which is not in everybody's PATH
}

// startNginx starts nginx in front of app, asking at asked, and returns once it passes a request on.
func startNginx(ctx context.Context, path, dir string, app, asked *server) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	config := strings.NewReplacer("PORT", port, "APP", strings.TrimPrefix(app.url, "http://"), "ASKED", strings.TrimPrefix(asked.url, "http://")).Replace(nginxConfig)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	s := &server{url: "http://127.0.0.1:" + port, cmd: exec.CommandContext(ctx, path, "-p", dir, "-c", file)}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := listens(ctx, "127.0.0.1:"+port); err != nil {
		s.stop()
		return nil, fmt.Errorf("nginx: %w", err)
	}
	return s, nil
}

// listens waits, at most 20 s, until something accepts connections at the address.
func listens(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Millisecond):
		}
	}
}
