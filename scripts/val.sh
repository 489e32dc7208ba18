#!/usr/bin/env bash
# Evaluation, on one computer: every option goes to `hashformer validate`, which shares files among --workers.
#
#   scripts/val.sh --manifest m.csv --load_from runs/train/weights.safetensors --prepared prepared --out results
set -euo pipefail
exec "$("${PYTHON:-python}" -c 'import os, sys; print(os.path.join(os.path.dirname(sys.executable), "hashformer"))')" \
    validate "$@"
