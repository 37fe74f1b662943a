# graft as a command, from source:
#
#   docker build -t graft .
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" graft classify model.onnx photos/
#   docker run --rm -v "$PWD:/work:ro" -p 127.0.0.1:8080:8080 graft serve run --host 0.0.0.0
FROM debian:12-slim AS build
WORKDIR /source
COPY . .
# The packages are those of a Debian release: fixes come in, versions stay.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git \
 && scripts/setup \
 && cmake --preset release -D GRAFT_BUILD_TESTS=OFF \
 && cmake --build build/release \
 && scripts/package /packages \
 && mkdir /graft \
 && tar -xzf /packages/graft-*-linux-*.tar.gz -C /graft --strip-components=1 \
 && rm -rf /var/lib/apt/lists/*

FROM debian:12-slim
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /graft /opt/graft
ENV PATH=/opt/graft/bin:$PATH XDG_CACHE_HOME=/tmp/cache
USER 65534
WORKDIR /work
ENTRYPOINT ["graft"]
