#!/usr/bin/env bash
# Training on one or several nodes: every option goes to `hashformer train`.
#
#   scripts/train.sh --base_dir prepared --manifest m.csv --log_dir runs/train --load_from runs/pretrain/weights.safetensors
#   NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 NPROC=8 scripts/train.sh …    # and with NODE_RANK=1 on the other
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
hashformer_launch train "$@"
