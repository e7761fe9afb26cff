FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/stepkey ./cmd/stepkey
RUN mkdir -p -m 770 /out/volume/data

# Nothing but the program: no shell, no package, nothing to keep up to date.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/stepkey /stepkey
# Group 0 may write to /data as well: OpenShift runs a container as a user of its
# own choice, which is in that group. The folder is copied within another, because
# COPY keeps the modes of what is in a folder and not that of the folder itself.
COPY --from=build --chown=65532:0 /out/volume/ /
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
WORKDIR /data
VOLUME /data
# A container's own localhost is of no use. Who can reach the port depends on how
# it is published.
ENV STEPKEY_DATA=/data STEPKEY_HOST=0.0.0.0 PORT=3000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/stepkey", "healthcheck"]
ENTRYPOINT ["/stepkey"]
CMD ["serve"]
