#!/usr/bin/env bash
# Writes requirements/IMAGE.txt for every image of the Dockerfile: the whole closed list, at the versions of
# requirements.lock, each with the hashes that its files must have. usage: scripts/lock_images.sh    (`make lock` runs it)
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
.venv/bin/python -m venv "$tools/venv"
"$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==0.13.9"

lock() { # IMAGE, then a file of requirements
  "$tools/venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
    --custom-compile-command "scripts/lock_images.sh" --constraint requirements.lock "$2" --output-file "requirements/$1.txt"
}
wanted() { .venv/bin/python scripts/requirements.py "$@" > "$tools/wanted.txt"; }

mkdir -p requirements
wanted web && lock backend "$tools/wanted.txt"
wanted worker studies && lock worker "$tools/wanted.txt"
wanted web worker studies storage fanout cluster && lock node "$tools/wanted.txt"
printf '%s\n' "moto[s3]" flask flask-cors > "$tools/wanted.txt" && lock s3 "$tools/wanted.txt"
