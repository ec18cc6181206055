# One image for every role. BASE is any image with Python >= 3.11; the result runs as a numeric user, with a read-only
# root file system, and writes only where a volume is mounted.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
COPY .ci/locks/runtime.txt .ci/locks/build.txt ./
RUN python3 -m venv /opt/pilotfish \
    && /opt/pilotfish/bin/pip install --no-cache-dir --require-hashes -r runtime.txt \
    && python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r build.txt
COPY LICENSE README.md pyproject.toml setup.py ./
COPY detectors detectors
COPY sidecar sidecar
RUN /opt/build/bin/python -m build --no-isolation --wheel --outdir /dist . \
    && /opt/pilotfish/bin/pip install --no-cache-dir --no-deps --no-index /dist/*.whl \
    && /opt/pilotfish/bin/python -m compileall -q /opt/pilotfish \
    && /opt/pilotfish/bin/pip uninstall --yes pip setuptools \
    && mkdir /state

FROM ${BASE}
COPY --from=build /opt/pilotfish /opt/pilotfish
# A volume mounted here for --state starts with this owner.
COPY --from=build --chown=65532:65532 /state /var/lib/pilotfish
ENV PATH=/opt/pilotfish/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /
ENTRYPOINT ["pilotfish"]
