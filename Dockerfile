# Three images from one file: `backend` (web, no torch) and `worker` (torch, no web), which docker-compose.yml builds,
# and `node` (both, and Ray) for a cluster, which docker-compose.cluster.yml builds with `redis` and `s3`.

# BASE may name the image by its digest (docs/security.md); what is installed into it has the hashes of requirements/.
ARG BASE=python:3.11-slim
FROM ${BASE} AS base
ENV PATH=/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin lab \
    && install --directory --owner=lab --group=lab --mode=0700 /data \
    && python -m venv /venv
COPY pyproject.toml requirements.lock ./
COPY requirements requirements
COPY scripts/requirements.py scripts/install_image.sh scripts/
# A mirror of your own, or an index with smaller wheels of torch for machines without a GPU, whose hashes are not asked for.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL

FROM base AS backend
RUN --mount=type=cache,target=/pip-cache scripts/install_image.sh backend web
COPY --chown=lab:lab cdsp_core cdsp_core
COPY --chown=lab:lab frontend frontend
COPY --chown=lab:lab backend backend
COPY --chown=lab:lab docs/recorded docs/recorded
# What workers share lies in volumes of its own, which begin with the owner of these folders.
RUN python -m compileall -q . \
    && install --directory --owner=lab --group=lab --mode=0700 /data/checkpoints /data/studies /data/datasets /data/link
USER 10001:10001
VOLUME /data
CMD ["python", "-m", "backend", "--no-browser"]

FROM backend AS node
# A node of a Ray cluster (docs/cluster.md): everything, and Ray.
USER root
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN --mount=type=cache,target=/pip-cache scripts/install_image.sh node web worker studies storage fanout cluster
# What is mounted at /tmp/ray begins with the owner of this folder.
RUN install --directory --owner=lab --group=lab --mode=0700 /tmp/ray
ENV PYTHONPATH=/app
USER 10001:10001

FROM base AS redis
RUN apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*
USER 10001:10001
CMD ["redis-server", "--appendonly", "yes", "--dir", "/data"]

FROM base AS s3
# A real S3 server that keeps everything in memory, to try a cluster with. Not for what shall last.
RUN --mount=type=cache,target=/pip-cache \
    pip install --cache-dir /pip-cache --require-hashes -r requirements/s3.txt
COPY scripts/make_bucket.py scripts/
USER 10001:10001
CMD ["python", "-m", "moto.server", "-H", "0.0.0.0", "-p", "9000"]

FROM base AS worker
# The worker compiles its C kernels for the machine that it runs on, in a second at its first start.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
ENV XDG_CACHE_HOME=/cache
RUN --mount=type=cache,target=/pip-cache scripts/install_image.sh worker worker studies
COPY --chown=lab:lab cdsp_core cdsp_core
RUN python -m compileall -q . \
    && install --directory --owner=lab --group=lab --mode=0700 /data/checkpoints /data/studies /data/datasets /data/link
USER 10001:10001
CMD ["python", "-m", "cdsp_core.worker", "--connect", "ws://backend:8000/ws/worker"]
