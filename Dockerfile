ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /build

# The dependencies alone, with an empty program: this layer is rebuilt only when the manifest or
# the lock file changes. The empty program is then removed, so that none of it can be shipped.
COPY Cargo.toml Cargo.lock ./
COPY vendor vendor
RUN mkdir src \
    && touch src/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked \
    && cargo clean --release --locked --package netbanking \
    && rm -r src

COPY . .
RUN cargo build --release --locked

FROM ${DEBIAN_IMAGE}

# The ids are fixed, so that a volume keeps its owner when the image is rebuilt.
RUN groupadd --gid 10001 netbanking \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin netbanking \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data

COPY --from=build /build/target/release/netbanking /usr/local/bin/netbanking

# The operator says which bank this is (NETBANKING_BANK), mounts the list of banks at
# NETBANKING_NODES and provides the shared secret (NETBANKING_PEER_SECRET), which no image may hold.
ENV NETBANKING_NODES=/etc/netbanking/nodes.json \
    NETBANKING_DATA=/data \
    NETBANKING_LISTEN=0.0.0.0

USER 10001:10001
WORKDIR /data
VOLUME /data
# 3050: customers and peers; 2050: heartbeats, for peers only.
EXPOSE 3050 2050
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["netbanking", "check"]
ENTRYPOINT ["netbanking"]
CMD ["node"]
