#!/usr/bin/env bash
# Records the runs of docs/recorded: seeds 0 to 9 of `live`, with conflict (lambda 10) and without (lambda 0), 3,000
# steps each, about a minute a run on one core. What is there stays; delete a file to record it again.
# scripts/record_runs.sh [FOLDER]
set -euo pipefail
folder="$(realpath "${1:-$(dirname "$0")/../docs/recorded}")"
cd "$(dirname "$0")/.."
python=.venv/bin/python
[ -x "$python" ] || python=python
for seed in 0 1 2 3 4 5 6 7 8 9; do
  for lambda in 10 0; do
    file="$folder/live-lambda$lambda-seed$seed.recording"
    [ -e "$file" ] || nice -n 19 "$python" -m cdsp_core record --preset live --seed "$seed" --steps 3000 \
      --set "lambda_conflict=$lambda" --device cpu --threads 1 --out "$file"
  done
done
