# Two images. `--target redirect` is the init container that redirects traffic inside a pod: nft, its libraries, and
# nothing else. The other one, the default, is for every role. BASE is any image with Python >= 3.11; the result runs as a
# numeric user, with a read-only root file system, and writes only where a volume is mounted. BASE needs no shell and no
# pip: BUILD, a Debian, has them. Both must have the same minor version of Python.
ARG BUILD=python:3.11-slim
ARG BASE=python:3.11-slim

FROM ${BUILD} AS build
WORKDIR /src
COPY .ci/locks/runtime.txt .ci/locks/build.txt ./
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r build.txt \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --target /opt/pilotfish -r runtime.txt \
    && rm -rf /opt/pilotfish/bin
COPY LICENSE README.md pyproject.toml setup.py ./
COPY detectors detectors
COPY sidecar sidecar
RUN /opt/build/bin/python -m build --no-isolation --wheel --outdir /dist . \
    && /opt/build/bin/pip install --no-cache-dir --no-deps --no-index --target /opt/pilotfish /dist/*.whl \
    && sed -i '1s|.*|#!/usr/bin/env python3|' /opt/pilotfish/bin/pilotfish \
    && python3 -m compileall -q /opt/pilotfish \
    && mkdir /state

FROM ${BUILD} AS nftables
# The version is the distribution's: a pinned one disappears with the next update.
# hadolint ignore=DL3008,DL4006,SC2046
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nftables \
    && mkdir /nftables \
    && cp --parents --dereference /usr/sbin/nft $(ldd /usr/sbin/nft | grep -o '/[^ ]*') /nftables

FROM scratch AS redirect
COPY --from=nftables /nftables /
ENTRYPOINT ["/usr/sbin/nft"]

FROM ${BASE}
COPY --from=build /opt/pilotfish /opt/pilotfish
# A volume mounted here for --state starts with this owner.
COPY --from=build --chown=65532:65532 /state /var/lib/pilotfish
ENV PATH=/opt/pilotfish/bin:$PATH \
    PYTHONPATH=/opt/pilotfish \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /
ENTRYPOINT ["python3", "-P", "-m", "pilotfish.sidecar.cli"]
