#!/usr/bin/env bash
# Prints the path of a Chromium for the browser tests; installs one if none is found.
# CDSP_CHROMIUM=/path/to/chromium names one.
set -euo pipefail
cd "$(dirname "$0")/.."

on_the_path() {
  for name in ${CDSP_CHROMIUM:-chromium chromium-browser google-chrome google-chrome-stable}; do
    "$name" --version >/dev/null 2>&1 && command -v "$name" && return
  done
  return 1
}

playwrights_own() {
  .venv/bin/python -c 'import pathlib, playwright.sync_api as p
with p.sync_playwright() as driver: print(pathlib.Path(driver.chromium.executable_path).resolve(strict=True))' 2>/dev/null
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif ! command -v sudo >/dev/null; then return 1
  elif [ -t 0 ]; then sudo "$@"
  else sudo -n "$@"; fi
}

install() {
  echo "No Chromium found; installing one." >&2
  # Ubuntu's package `chromium` only hands over to snap: there Playwright fetches its own build.
  if grep -qs '^ID=ubuntu' /etc/os-release || ! command -v apt-get >/dev/null; then
    .venv/bin/python -m playwright install --with-deps chromium >&2
  else
    as_root apt-get update -qq >&2 && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
  fi
}

on_the_path && exit
if [ -n "${CDSP_CHROMIUM:-}" ]; then
  echo "CDSP_CHROMIUM must name a Chromium that starts. Found $CDSP_CHROMIUM." >&2
  exit 1
fi
playwrights_own && exit
install || true
on_the_path || playwrights_own || {
  echo "The browser tests need Chromium. Install it with: sudo apt-get install chromium, or name one with: make test CDSP_CHROMIUM=/path/to/chromium" >&2
  exit 1
}
