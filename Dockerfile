# SPDX-License-Identifier: Apache-2.0
#
# One image per program, each a target of its own: `docker build --target api -t tweetmesh/api .`,
# or all of them by `docker buildx bake`. What is in them: docs/images.md.

ARG BASE=docker.io/library/debian:13

# What building needs: the packages that packages.txt lists under "to build".
FROM ${BASE} AS platform
COPY packages.txt /tmp/
RUN apt-get -o Acquire::Retries=5 update -q \
    && sed -n '/^# to build/,/^$/{/^[^#]/p}' /tmp/packages.txt \
        | DEBIAN_FRONTEND=noninteractive xargs apt-get -o Acquire::Retries=5 install -qy --no-install-recommends \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /tmp/packages.txt

# All programs at once, because what they share is most of the work; then a folder per image.
FROM platform AS build
COPY . /src
WORKDIR /src
ARG SOURCE_DATE_EPOCH=1767225600
RUN cmake --preset release -DBUILD_TESTING=OFF \
    && cmake --build --preset release --target api grpc-server ws-redis kafka-consumer audit recount \
    && for program in api grpc-server ws-redis kafka-consumer audit recount; do \
        SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH python3 tools/images/rootfs.py \
            "build/release/$program/$program" "/images/$program" || exit 1; \
    done \
    && rm -rf build

# What all images have in common: no shell, no package manager, nobody's rights.
FROM scratch AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=2026-01-01T00:00:00Z
LABEL org.opencontainers.image.vendor="tweetmesh" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}"
ENV STREAMS_DIR=/etc/tweetmesh/streams
USER 65532:65532
WORKDIR /

FROM runtime AS api
LABEL org.opencontainers.image.title="tweetmesh api" \
    org.opencontainers.image.description="Takes events over HTTP and answers once Kafka has them"
COPY --from=build /images/api/ /
EXPOSE 8080 8081
ENTRYPOINT ["/usr/bin/api"]

FROM runtime AS grpc-server
LABEL org.opencontainers.image.title="tweetmesh grpc-server" \
    org.opencontainers.image.description="Takes events over gRPC and stores them in Kafka"
COPY --from=build /images/grpc-server/ /
EXPOSE 50051 8082
ENTRYPOINT ["/usr/bin/grpc-server"]

FROM runtime AS ws-redis
LABEL org.opencontainers.image.title="tweetmesh ws-redis" \
    org.opencontainers.image.description="Counts events in Redis and shows the totals live"
COPY --from=build /images/ws-redis/ /
EXPOSE 8090 8083
ENTRYPOINT ["/usr/bin/ws-redis"]

FROM runtime AS kafka-consumer
LABEL org.opencontainers.image.title="tweetmesh kafka-consumer" \
    org.opencontainers.image.description="Archives events in MongoDB once each and settles the counters"
COPY --from=build /images/kafka-consumer/ /
EXPOSE 8084
ENTRYPOINT ["/usr/bin/kafka-consumer"]

FROM runtime AS audit
LABEL org.opencontainers.image.title="tweetmesh audit" \
    org.opencontainers.image.description="Compares Kafka, Redis and MongoDB"
COPY --from=build /images/audit/ /
ENTRYPOINT ["/usr/bin/audit"]

FROM runtime AS recount
LABEL org.opencontainers.image.title="tweetmesh recount" \
    org.opencontainers.image.description="Rebuilds counters from Kafka or MongoDB"
COPY --from=build /images/recount/ /
ENTRYPOINT ["/usr/bin/recount"]
