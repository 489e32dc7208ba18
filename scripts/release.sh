#!/usr/bin/env bash
# From a folder of labelled clips to the weight file that is released, and the figures of its model card.
#
#   scripts/release.sh DATA_DIR OUT_DIR
#
# DATA_DIR holds a table of clips (docs/data.md, `clip-table`) with the splits train and dev. dev is never trained on,
# calibrated on or stopped by: a part of the people of train validates. What is done is skipped; what was begun goes
# on by the same command. OUT_DIR/times.txt has the time of each step, OUT_DIR/logs what it printed.
#
# PYTHON            the interpreter that has hashformer (default: python)
# RECIPE, PRESET    recipe of the training, and the preset that it is made for (default: small, small)
# SYNC              recipe of a training of lips against sound after it; `none` leaves it out (default: small-sync)
# TRACES            recipe of a training on single frames after those; `none` leaves it out (default: small-traces)
# SOUND             recipe of a training on synthetic voices after that; `none` leaves it out (default: small-sound)
# WHOLE             recipe whose clips and forgeries the scores are calibrated on (default: small-whole)
# AUTOENCODER       0 leaves out the forgeries that need a learned decoder (default: 1)
# SEED              of every draw (default: 0)
# WORKERS           processes that prepare and score (default: one for each core)
# HELD_OUT          sources of train that validate as a whole, comma between them (default: none)
# PRETRAIN          1 pretrains without labels first (default: 0, train from fresh weights)
# PRETRAIN_OPTIONS  more options of `hashformer pretrain`, such as "--set run.steps=2000"
# TRAIN_OPTIONS     more options of `hashformer train`
# LIMIT             smoke run: so many files and steps (default: 0, all)
# ROBUSTNESS        kinds of `hashformer robustness`; `none` leaves it out (default: those of the literature)
# DEVICE            where scoring runs, cpu or cuda (default: a GPU if there is one; training finds them itself)
# HASHFORMER        the command (default: the one that was installed with PYTHON)
set -euo pipefail

if [ $# -ne 2 ] || [ ! -d "$1" ]; then
    echo "usage: ${BASH_SOURCE[0]} DATA_DIR OUT_DIR" >&2
    exit 2
fi
data="$1" out="$2" python="${PYTHON:-python}"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
hashformer="${HASHFORMER:-$("$python" -c 'import os, sys; print(os.path.join(os.path.dirname(sys.executable), "hashformer"))')}"
recipe="${RECIPE:-small}" preset="${PRESET:-small}" seed="${SEED:-0}" limit="${LIMIT:-0}"
# nproc alone would tell how many threads OMP_NUM_THREADS allows.
cores="$(env -u OMP_NUM_THREADS nproc)" workers="${WORKERS:-}"
workers="${workers:-$cores}"
kinds="${ROBUSTNESS:-$("$python" -c 'from hashformer.perturb import LITERATURE; print(",".join(LITERATURE))')}"
device="${DEVICE:-$("$python" -c 'import torch; print("cuda" if torch.cuda.is_available() else "cpu")')}"
read -r -a pretrain_options <<<"${PRETRAIN_OPTIONS:-}"
read -r -a train_options <<<"${TRAIN_OPTIONS:-}"
# Waiting threads that spin slow the working ones down.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

mkdir -p "$out/logs" "$out/done"
name="" began=0 chain="" result=""

note_time() {
    printf '%-12s %8d s  %-12s %s\n' "$name" $(($(date +%s) - began)) "$1" "$(date -u +%FT%TZ)" >>"$out/times.txt"
}

# A step that was interrupted took time too.
trap '[ -z "$name" ] || note_time interrupted' EXIT

# step NAME PRODUCT COMMAND…: run it, unless it was done by the same command after the same steps.
step() {
    local product="$2" status=0 label="$1"
    shift 2
    chain="$(printf '%s\n' "$chain" "$label" "$@" | sha256sum | cut -d ' ' -f 1)"
    if [ -e "$product" ] && [ "$(cat "$out/done/$label" 2>/dev/null)" = "$chain" ]; then
        echo "== $label: done before"
        return
    fi
    echo "== $label"
    rm -f "$out/done/$label"
    touch "$out/logs/.$label.began"
    name="$label" began="$(date +%s)" result="done"
    "$@" 2>&1 | tee -a "$out/logs/$label.log" || status=$?
    # 1 says that single files failed; they are listed, and what could be done is there.
    if [ "$status" -eq 1 ] && [ "$product" -nt "$out/logs/.$label.began" ]; then
        result="files failed"
    elif [ "$status" -ne 0 ] || [ ! -e "$product" ]; then
        result="exit $status"
    fi
    note_time "$result"
    name=""
    case "$result" in exit*)
        echo "== $label failed with exit code $status; see $out/logs/$label.log" >&2
        exit $((status > 0 ? status : 1)) ;;
    esac
    echo "$chain" >"$out/done/$label"
}

# Another table, or another version of the package, begins anew.
chain="$(cat "$data"/*.csv | sha256sum; "$hashformer" --version)"
printf '# %s cores, %s, seed %s, recipe %s\n' "$cores" "$device" "$seed" "$recipe" >>"$out/times.txt"

step manifest "$out/all.csv" "$hashformer" manifest clip-table "$data" --output "$out/all.csv"
step split "$out/dev.csv" "$python" "$here/release_split.py" "$out/all.csv" "$out" \
    --held_out "${HELD_OUT:-}" --seed "$seed"
step preprocess "$out/prepared/failures.csv" "$hashformer" preprocess --base_dir "$data" --output_dir "$out/prepared" \
    --manifest "$out/all.csv" --config "$preset" --workers "$workers"

training=(--base_dir "$out/prepared" --manifest "$out/train.csv" --seed "$seed" --limit "$limit" --decode --resume)
start=() neural=()
if [ "${PRETRAIN:-0}" != 0 ]; then
    step pretrain "$out/pretrain/weights.safetensors" "$hashformer" pretrain "${training[@]}" --recipe "$recipe" \
        --log_dir "$out/pretrain" ${pretrain_options[@]+"${pretrain_options[@]}"}
    start=(--load_from "$out/pretrain/weights.safetensors")
fi
if [ "${AUTOENCODER:-1}" != 0 ]; then
    step autoencoder "$out/autoencoder.safetensors" "$hashformer" forge "$out/train.csv" --base_dir "$out/prepared" \
        --train-autoencoder "$out/autoencoder.safetensors" --seed "$seed"
    neural=(--set "forge.autoencoder=$out/autoencoder.safetensors" --set forge.chances.neural_resynthesis=1.5)
fi
trained="$out/train/weights.safetensors"
step train "$trained" "$hashformer" train "${training[@]}" --recipe "$recipe" --log_dir "$out/train" \
    --out "$trained" ${neural[@]+"${neural[@]}"} ${start[@]+"${start[@]}"} ${train_options[@]+"${train_options[@]}"}
if [ "${SYNC:-small-sync}" != none ]; then
    step sync "$out/sync/weights.safetensors" "$hashformer" train "${training[@]}" --recipe "${SYNC:-small-sync}" \
        --log_dir "$out/sync" --out "$out/sync/weights.safetensors" --load_from "$trained" ${neural[@]+"${neural[@]}"}
    trained="$out/sync/weights.safetensors"
fi
if [ "${TRACES:-small-traces}" != none ]; then
    step traces "$out/traces/weights.safetensors" "$hashformer" train "${training[@]}" \
        --recipe "${TRACES:-small-traces}" --log_dir "$out/traces" --out "$out/traces/weights.safetensors" \
        --load_from "$trained" ${neural[@]+"${neural[@]}"}
    trained="$out/traces/weights.safetensors"
fi
if [ "${SOUND:-small-sound}" != none ]; then
    step sound "$out/sound/weights.safetensors" "$hashformer" train "${training[@]}" \
        --recipe "${SOUND:-small-sound}" --log_dir "$out/sound" --out "$out/sound/weights.safetensors" \
        --load_from "$trained"
    trained="$out/sound/weights.safetensors"
fi
step calibrate "$out/whole/weights.safetensors" "$hashformer" train "${training[@]}" --calibrate_only \
    --recipe "${WHOLE:-small-whole}" --log_dir "$out/whole" --out "$out/whole/weights.safetensors" --load_from "$trained" \
    ${neural[@]+"${neural[@]}"}
trained="$out/whole/weights.safetensors"
step thresholds "$out/val/metrics.json" "$hashformer" validate --manifest "$out/train.csv" --split val \
    --prepared "$out/prepared" --checkpoint "$trained" --out "$out/val" --thresholds \
    --limit "$limit" --workers "$workers" --device "$device" --seed "$seed"
weights="$out/$preset.safetensors"
step weights "$weights" "$python" "$here/release_weights.py" "$trained" "$out/val/metrics.json" "$weights"

scoring=(--manifest "$out/dev.csv" --limit "$limit" --workers "$workers" --device "$device" --seed "$seed")
step validate "$out/dev/metrics.json" "$hashformer" validate "${scoring[@]}" --prepared "$out/prepared" \
    --checkpoint "$weights" --out "$out/dev"
step untrained "$out/untrained/metrics.json" "$hashformer" validate "${scoring[@]}" --prepared "$out/prepared" \
    --checkpoint "untrained:$preset" --out "$out/untrained"
step rates "$out/$preset-rates.safetensors" "$python" "$here/release_weights.py" "$trained" "$out/val/metrics.json" \
    "$out/$preset-rates.safetensors" --scores "$out/dev/scores.parquet"
step baselines "$out/baselines/baselines.json" "$hashformer" baselines --manifest "$out/dev.csv" --base_dir "$data" \
    --prepared "$out/prepared" --out "$out/baselines" --seed "$seed" \
    --scores "trained=$out/dev/scores.parquet" --scores "untrained=$out/untrained/scores.parquet"
if [ "$kinds" != none ]; then
    step robustness "$out/robustness/robustness.json" "$hashformer" robustness "${scoring[@]}" --base_dir "$data" \
        --checkpoint "$weights" --kinds "$kinds" --out "$out/robustness"
fi
cat "$out/times.txt"
