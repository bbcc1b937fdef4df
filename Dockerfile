# syntax=docker/dockerfile:1

FROM rust:1-slim-bookworm AS build
# The allocator is built by its own makefile.
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Names of functions stay for backtraces, line tables go.
ENV CARGO_PROFILE_RELEASE_STRIP=debuginfo
COPY . .
# The caches survive between builds, but are no part of the layer: the program is copied out.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package ticketbridge \
    && mkdir -p /image/data \
    && cp target/release/ticketbridge /image/ticketbridge

# The C library and the certificates, no shell: the same Debian as above.
FROM gcr.io/distroless/cc-debian12
COPY --from=build /image/ticketbridge /usr/local/bin/ticketbridge
# For `ticketbridge up`, which keeps its SQLite file in the working folder.
COPY --from=build --chown=10001:10001 /image/data /data
WORKDIR /data
USER 10001:10001
ENV TICKETBRIDGE__SERVER__LISTEN=0.0.0.0:8080
EXPOSE 8080
# A scheduler, or all in one. Other processes bring their own check; see compose.yaml.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["ticketbridge", "health"]
ENTRYPOINT ["ticketbridge"]
CMD ["up"]
