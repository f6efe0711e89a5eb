#!/bin/sh
# Installs what an image needs: the closed list requirements/IMAGE.txt, every file of which must have its hash. With an
# index of your own (PIP_EXTRA_INDEX_URL), whose files have others, the versions of requirements.lock are all that is asked.
# usage: scripts/install_image.sh IMAGE EXTRA...
set -eu
image=$1
shift
if [ -n "${PIP_EXTRA_INDEX_URL:-}" ]; then
  python scripts/requirements.py "$@" > /tmp/wanted.txt
  exec pip install --cache-dir /pip-cache -c requirements.lock -r /tmp/wanted.txt
fi
exec pip install --cache-dir /pip-cache --require-hashes -r "requirements/$image.txt"
