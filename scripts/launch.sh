# Sourced by the other scripts: runs a verb of `hashformer` on every device of one or several nodes.
#
# NPROC        processes on this node: one for each GPU, or 1 on a CPU (default: number of GPUs, at least 1)
# NNODES       computers (default: 1)
# NODE_RANK    number of this one, from 0 (default: 0); start the same script on each
# MASTER_ADDR  address of node 0 (default: 127.0.0.1)
# MASTER_PORT  a free port there (default: 29500)
# PYTHON       the interpreter that has hashformer (default: python)
set -euo pipefail

hashformer_launch() {
    local python="${PYTHON:-python}" gpus command
    # The command that was installed with this interpreter, whatever PATH says.
    command="$("$python" -c 'import os, sys; print(os.path.join(os.path.dirname(sys.executable), "hashformer"))')"
    gpus="$("$python" -c 'import torch; print(torch.cuda.device_count())')"
    local nproc="${NPROC:-$((gpus > 0 ? gpus : 1))}" nnodes="${NNODES:-1}"
    # Waiting threads that spin slow the working ones down.
    export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(("$(nproc)" / nproc > 0 ? "$(nproc)" / nproc : 1))}"
    if [ "$nnodes" -eq 1 ]; then
        # A free port is found: two runs on one machine do not meet.
        exec "$python" -m torch.distributed.run --standalone --nproc_per_node "$nproc" \
            --no_python "$command" "$@"
    fi
    exec "$python" -m torch.distributed.run --nnodes "$nnodes" --node_rank "${NODE_RANK:-0}" \
        --nproc_per_node "$nproc" --master_addr "${MASTER_ADDR:-127.0.0.1}" \
        --master_port "${MASTER_PORT:-29500}" --no_python "$command" "$@"
}
