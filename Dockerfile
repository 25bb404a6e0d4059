# A CPU image by default; for an NVIDIA GPU add --build-arg TORCH_INDEX= (PyTorch's CUDA build, 6 GB more):
#   docker build -t unet .                      docker run --rm unet                            make demo
#   docker build -t unet-label --target label . docker run --rm --network host unet-label ...   docs/install.md
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

FROM python:3.11-slim-bookworm AS base
ARG TORCH_INDEX
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 unet \
    && install --directory --owner unet /app /app/data /app/runs
USER 1000
WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1
# The packages come first, so that a change of the code does not install them again.
COPY --chown=unet Makefile requirements.txt ./
RUN make .venv/demo TORCH_INDEX="$TORCH_INDEX"
COPY --chown=unet . .

FROM base AS label
ARG TORCH_INDEX
RUN PIP_EXTRA_INDEX_URL="$TORCH_INDEX" .venv/bin/python -c \
    "from pathlib import Path; from scripts.label_server.environment import prepare; prepare(Path('.venv-label'))"
ENTRYPOINT [".venv/bin/python", "-m", "scripts.label_server"]
CMD ["--studies", "/images", "--model", "em"]

FROM base AS demo
CMD ["make", "demo"]
