#!/usr/bin/env bash
# Prints the path of a redis-server for the tests of viewer processes; installs one if none is found.
# CDSP_REDIS=/path/to/redis-server names one.
set -euo pipefail

on_the_path() { command -v "${CDSP_REDIS:-redis-server}"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif ! command -v sudo >/dev/null; then return 1
  elif [ -t 0 ]; then sudo "$@"
  else sudo -n "$@"; fi
}

install() {
  command -v apt-get >/dev/null || return 1
  echo "No redis-server found; installing one." >&2
  as_root apt-get update -qq >&2 && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server >/dev/null
}

on_the_path && exit
if [ -n "${CDSP_REDIS:-}" ]; then
  echo "CDSP_REDIS must name a redis-server that starts. Found $CDSP_REDIS." >&2
  exit 1
fi
install || true
on_the_path || {
  echo "The tests of viewer processes need redis-server. Install it with: sudo apt-get install redis-server" >&2
  exit 1
}
