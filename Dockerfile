# The page: Debian's esbuild, no package manager of its own.
FROM debian:bookworm-slim AS web
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends esbuild make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY web web
RUN make -C web build

# The program. Swift's own library is linked in; the C libraries stay shared.
FROM swift:6.3-bookworm AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libcurl4-openssl-dev libssl-dev libuv1-dev libwebsockets-dev libwebsockets-evlib-uv libyaml-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Package.swift ./
COPY Sources Sources
# The manifest names the tests; nothing of them is built.
COPY Tests Tests
ARG JOBS=2
RUN swift build -j "$JOBS" -c release --static-swift-stdlib --product millrace \
    && mkdir /program \
    && strip -o /program/millrace .build/release/millrace

# What is needed at run time, and nothing else: no shell, no package manager.
FROM debian:bookworm-slim AS files
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates libcurl4 libssl3 libuv1 libwebsockets-evlib-uv libwebsockets17 libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /program/millrace /usr/bin/millrace
COPY .ci/collect-files /collect-files
RUN /collect-files /root-of-image

FROM scratch
COPY --from=files /root-of-image /
COPY --from=web /source/web/dist /usr/share/millrace/web
ENV MILLRACE_LISTEN=0.0.0.0:8080 \
    MILLRACE_WEB=/usr/share/millrace/web
EXPOSE 8080
USER 10001:10001
# SIGTERM drains: running responses finish, for drain.timeout_ms at most. Give the container longer than that to stop.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/usr/bin/millrace", "health"]
ENTRYPOINT ["/usr/bin/millrace"]
CMD ["serve"]
