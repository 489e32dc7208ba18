#!/usr/bin/env bash
# Pretraining on one or several nodes: every option goes to `hashformer pretrain`.
#
#   scripts/pre_train.sh --base_dir prepared --manifest m.csv --log_dir runs/pretrain
#   NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 NPROC=8 scripts/pre_train.sh …    # and with NODE_RANK=1 on the other
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
hashformer_launch pretrain "$@"
