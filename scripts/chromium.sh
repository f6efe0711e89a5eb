#!/usr/bin/env bash
# Prints the path of a Chromium for the browser tests; installs one if none is found.
# CDSP_CHROMIUM=/path/to/chromium names one.
set -euo pipefail
cd "$(dirname "$0")/.."

found() {
  for name in ${CDSP_CHROMIUM:-chromium chromium-browser google-chrome google-chrome-stable}; do
    "$name" --version >/dev/null 2>&1 && command -v "$name" && return
  done
  return 1
}
playwrights_own() {
  .venv/bin/python -c 'import pathlib, playwright.sync_api as p
with p.sync_playwright() as driver: print(pathlib.Path(driver.chromium.executable_path).resolve(strict=True))' 2>/dev/null
}

found && exit
playwrights_own && exit
if [ "$(id -u)" = 0 ]; then as_root=
elif [ -t 0 ]; then as_root="sudo"
else as_root="sudo -n"; fi

echo "No Chromium found; installing one." >&2
# Ubuntu's package `chromium` only hands over to snap: there Playwright fetches its own build.
if command -v apt-get >/dev/null && ! grep -qs '^ID=ubuntu' /etc/os-release; then
  $as_root apt-get update -qq >&2 && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >&2 || true
else
  .venv/bin/python -m playwright install --with-deps chromium >&2 || true
fi
found || playwrights_own || {
  echo "The browser tests need Chromium. Install it with: sudo apt-get install chromium, or name one with: CDSP_CHROMIUM=/path/to/chromium make test" >&2
  exit 1
}
