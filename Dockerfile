# syntax=docker/dockerfile:1
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/stepkey ./cmd/stepkey
RUN mkdir -m 700 /out/data

# Nothing but the program: no shell, no package, nothing to keep up to date.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/stepkey /stepkey
# A number, so that whoever runs the image can see that it is not root.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
# A container's own localhost is of no use: what may reach the port is decided by
# how it is published.
ENV STEPKEY_DATA=/data STEPKEY_HOST=0.0.0.0 PORT=3000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/stepkey", "healthcheck"]
ENTRYPOINT ["/stepkey"]
CMD ["serve"]
