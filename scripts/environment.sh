#!/usr/bin/env bash
# Makes .venv with the locked versions of the extras named. A second call with nothing changed does nothing.
# usage: scripts/environment.sh EXTRA ...    PYTHON=python3.12 picks the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=".venv/installed-$(IFS=-; echo "$*")"
wanted=$(cat pyproject.toml requirements.lock | sha256sum)
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0

fail() { echo "$1" >&2; exit 1; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local without_venv=
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    new_enough "$candidate" || continue
    "$candidate" -c 'import ensurepip, venv' 2>/dev/null && { echo "$candidate"; return; }
    without_venv=${without_venv:-$("$candidate" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')}
  done
  [ -z "$without_venv" ] || fail "$without_venv must have its venv module. Install it with: sudo apt-get install $without_venv-venv"
  fail "Python must be 3.11 or newer. Found ${PYTHON:-$(python3 --version 2>/dev/null || echo none)}. Install one with: sudo apt-get install python3 python3-venv, or name one with: make PYTHON=/path/to/python"
}

if ! new_enough .venv/bin/python; then
  python=$(find_python)
  rm -rf .venv
  echo "Making .venv with $("$python" --version)."
  "$python" -m venv .venv
fi
echo "Installing $* from requirements.lock; the first time this fetches torch and takes some minutes."
.venv/bin/python scripts/requirements.py "$@" > .venv/requirements.txt
quiet=--quiet
[ -t 1 ] && quiet=
.venv/bin/python -m pip install $quiet --disable-pip-version-check --no-input -c requirements.lock -r .venv/requirements.txt ||
  fail "The packages could not be installed. The lines above say why; a network or a package mirror set up for pip is needed."
echo "$wanted" > "$stamp"
