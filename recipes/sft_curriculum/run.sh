#!/usr/bin/env bash
# Starts an SFT run with a curriculum after a look at what it needs.
set -euo pipefail

usage() {
    cat <<'END_OF_USAGE'
usage: run.sh [--config RECIPE.yaml] [--model MODEL] [--data FOLDER] [--gpus N] [--resume [CHECKPOINT]]
              [--demo FOLDER] [--dry-run] [key=value ...]

--config FILE       the recipe; sft.yaml beside this script if none is named
--model MODEL       folder of model and tokenizer, or a name on the hub (model.path)
--data FOLDER       holds train.jsonl, validation.jsonl and, if there is one, test.jsonl
--gpus N            processes, one a GPU; more than one are started by torchrun
--resume [WHICH]    go on from the last checkpoint of the output folder, or from the one that is named
--demo FOLDER       make a tiny model and small data there and train them for 30 steps: a try of everything on a CPU
--dry-run           look at everything, print the command, start nothing
key=value           goes to the trainer, over the recipe

PYTHON names the Python to use. Exit code: the run's; 1 something is missing, 2 wrong usage.
END_OF_USAGE
}
fail() { # exit code, message
    echo "run.sh: $2" >&2
    exit "$1"
}

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
config=$here/sft.yaml gpus=1 demo='' dry='' resume=() overrides=()
use_data() { # folder
    overrides+=("data.train=$1/train.jsonl" "data.validation=$1/validation.jsonl")
    if [[ -f $1/test.jsonl ]]; then overrides+=("data.test=$1/test.jsonl"); fi
}
given=()
while (($#)); do
    case $1 in
        -h | --help) usage && exit ;;
        --config | --model | --data | --gpus | --demo)
            (($# > 1)) || fail 2 "$1: got nothing, expected a value; see --help"
            case $1 in
                --config) config=$2 ;;
                --model) overrides+=("model.path=$2") ;;
                --data) use_data "$2" ;;
                --gpus) gpus=$2 ;;
                --demo) demo=$2 ;;
            esac
            shift
            ;;
        --resume)
            resume=(--resume)
            if [[ -d ${2-} ]]; then resume=(--resume "$2") && shift; fi
            ;;
        --dry-run) dry=yes ;;
        *=*) given+=("$1") ;;
        *) fail 2 "$1: no such option; see --help" ;;
    esac
    shift
done
[[ $gpus =~ ^[1-9][0-9]*$ ]] || fail 2 "--gpus $gpus: expected a number of at least 1"
python=${PYTHON:-python}
command -v "$python" >/dev/null || fail 1 "no Python at $python: install Python 3.11, or set PYTHON"

if [[ -n $demo ]]; then
    "$python" "$here/demo.py" "$demo"
    use_data "$demo"
    overrides+=("model.path=$demo/model" model.dtype=float32 lora=null "training.output=$demo/run" training.bf16=false
        training.batch_size=8 training.device_batch_size=8 training.learning_rate=0.003 training.max_steps=30
        training.warmup_steps=0 training.log_every=5 training.eval_every=5 training.save_every=10
        training.gradient_checkpointing=false curriculum.advance.check_every=5 curriculum.advance.min_performance=0.1
        curriculum.rollback.threshold=-0.5)
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # so small a model only loses time to more
fi
overrides+=("${given[@]}") # what the user says has the last word
"$python" "$here/preflight.py" "$config" "${resume[@]}" --gpus "$gpus" -- "${overrides[@]}" ||
    fail 1 "nothing was started"
start=("$python")
if ((gpus > 1)); then start=("$python" -m torch.distributed.run --standalone --nproc-per-node "$gpus"); fi
command=("${start[@]}" -m curriculum_verl.train --mode sft --config "$config" "${resume[@]}" -- "${overrides[@]}")
if [[ -n $dry ]]; then
    printf '%q ' "${command[@]}"
    echo
    exit
fi
exec "${command[@]}"
