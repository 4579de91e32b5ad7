#!/usr/bin/env bash
# Starts verl's stock trainer on a recipe of this folder, after a look at what the run needs; ends all of it on Ctrl-C.
set -euo pipefail

usage() {
    cat <<'END_OF_USAGE'
usage: run.sh RECIPE --model MODEL --data MANIFEST [--resume [auto|STEP_FOLDER]] [--fresh] [--cpu]
              [--ray-address ADDRESS] [--eval-responses N] [--dry-run] [key=value ...] [-- OPTION OF evaluate ...]

RECIPE              a recipe beside this script (three_stages, lora, ...), or your YAML file beside a copy of _base.yaml
--model MODEL       folder of model and tokenizer, or a name on the hub
--data MANIFEST     manifest.json, as curriculum-verl preprocess wrote it
--resume [WHICH]    go on with the run in the output folder (auto; if there is none, start one), or from a global_step_N
--fresh             move a run that is in the output folder aside, to FOLDER.DATE, and start anew
--cpu               train without a GPU, small models only
--ray-address A     use a Ray cluster that is there, on one node or many; RAY_ADDRESS does the same
--eval-responses N  responses to each validation prompt in the final evaluation (8); 0: none is made
--dry-run           look at everything, print the commands, start nothing
key=value           whatever Hydra takes; it goes to verl as it is, and has the last word
-- OPTION ...       goes to curriculum-verl evaluate, see its --help

After the run curriculum-verl evaluate compares the model it began with, every stage's and the last, bucket by bucket:
evaluation.json, .csv and .png in the output folder. The same command with --resume makes one that was stopped or failed.

What is missing is said at once, before anything is started. Ctrl-C ends the run with all its processes: SIGINT first,
SIGTERM after GRACE seconds (30), then SIGKILL; a second Ctrl-C kills at once. Other people's Ray is left alone.
PYTHON names the Python to use, RAY_TMPDIR another folder than /tmp for Ray's files: a short one, sockets need that.
Exit code: the run's; 1 something is missing, 2 wrong usage, 130 Ctrl-C, 143 terminated.

examples
  run.sh three_stages --model Qwen/Qwen2.5-1.5B-Instruct --data preprocessed/manifest.json trainer.n_gpus_per_node=4
  run.sh three_stages --model Qwen/Qwen2.5-1.5B-Instruct --data preprocessed/manifest.json --resume
  run.sh lora --model models/7b --data data/manifest.json trainer.experiment_name=r64 "trainer.logger=[console,wandb]"
  run.sh posterior_filter --model models/tiny --data data/manifest.json --cpu data.train_batch_size=16
  run.sh five_stages --model /nfs/7b --data /nfs/data/manifest.json --ray-address head:6379 trainer.nnodes=4 \
      trainer.default_local_dir=/nfs/runs/five_stages
END_OF_USAGE
}

fail() { # exit code, message
    echo "run.sh: $2" >&2
    exit "$1"
}
quoted() { # as a value of Hydra, whatever is in it
    printf "'%s'" "${1//\'/\\\'}"
}

recipe='' model='' data='' resume=() fresh='' cpu='' address=${RAY_ADDRESS-} responses=8 dry='' overrides=() evaluation=()
while (($#)); do
    case $1 in
        -h | --help) usage && exit ;;
        --model | --data | --ray-address | --eval-responses)
            (($# > 1)) || fail 2 "$1: got nothing, expected a value; see --help"
            case $1 in --model) model=$2 ;; --data) data=$2 ;; --ray-address) address=$2 ;; *) responses=$2 ;; esac
            shift
            ;;
        --resume)
            resume=(--resume auto)
            if [[ ${2-} == auto || ${2-} =~ ^[^=]*(/|global_step_)[^=]*$ ]]; then resume=(--resume "$2") && shift; fi
            ;;
        --fresh) fresh=--fresh ;;
        --cpu) cpu=yes ;;
        --dry-run) dry=yes ;;
        --) shift && evaluation=("$@") && break ;;
        -*) fail 2 "$1: no such option; see --help" ;;
        *=* | '~'*) overrides+=("$1") ;;
        *)
            [[ -z $recipe ]] || fail 2 "$1: expected key=value after the recipe $recipe; see --help"
            recipe=$1
            ;;
    esac
    shift
done
[[ -n $recipe && -n $model && -n $data ]] || fail 2 "expected RECIPE --model MODEL --data MANIFEST; see --help"
[[ $responses =~ ^(0|[1-9][0-9]*)$ ]] || fail 2 "--eval-responses $responses: expected a number, 0 for no evaluation"
[[ -z $fresh || ${#resume[@]} == 0 ]] || fail 2 "--fresh and --resume: expected one of them"

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
if [[ $recipe == */* || $recipe == *.yaml ]]; then file=$(readlink -m -- "$recipe"); else file=$here/$recipe.yaml; fi
names=$(cd -- "$here" && printf '%s\n' [!_]*.yaml)
[[ -f $file ]] || fail 2 "$recipe: no such recipe, expected one of ${names//.yaml$'\n'/, } or a YAML file"
data=$(readlink -m -- "$data") # Ray's processes may have another folder
if [[ -d $model ]]; then model=$(readlink -f -- "$model"); fi
if [[ -n $cpu ]]; then export VERL_PLATFORM=cpu; fi

candidates=("${PYTHON:-python}")
[[ -n ${PYTHON-} ]] || candidates+=(python3 "$here/../../.venv/bin/python")
python=''
for wanted in 'verl curriculum_verl' ''; do # what has nothing can still say what it lacks
    for candidate in "${candidates[@]}"; do
        look='import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, sys.argv[1].split())))'
        if [[ -z $python ]] && "$candidate" -c "$look" "$wanted" 2>/dev/null; then python=$candidate; fi
    done
done
[[ -n $python ]] || fail 1 "no Python was found (tried ${candidates[*]}): install Python 3.11, or set PYTHON"

settings=("curriculum.data=$(quoted "$data")" "actor_rollout_ref.model.path=$(quoted "$model")")
if [[ ${resume[1]-} == auto ]]; then
    settings+=(trainer.resume_mode=auto)
elif ((${#resume[@]})); then
    resume[1]=$(readlink -m -- "${resume[1]}")
    settings+=(trainer.resume_mode=resume_path "trainer.resume_from_path=$(quoted "${resume[1]}")")
fi
options=("${evaluation[@]/#/--evaluate-with=}")
looked=0
said=$("$python" "$here/preflight.py" --model "$model" ${fresh:+"$fresh"} "${resume[@]}" \
    "${options[@]}" ${address:+--ray-address "$address"} -- "$file" "${settings[@]}" "${overrides[@]}") || looked=$?
((looked == 0)) || fail "$looked" "nothing was started:"$'\n'"$said"
output=$(readlink -m -- "${said##*$'\n'}")

command=("$python" -u -m verl.trainer.main_ppo --config-path "${file%/*}" --config-name "$(basename -- "$file" .yaml)"
    "${settings[@]}" "${overrides[@]}")
evaluate=("$python" "$here/final_evaluation.py" --model "$model" --data "$data" --responses "$responses" "${options[@]}"
    ${cpu:+--cpu} ${address:+--ray-address "$address"} ${dry:+--dry-run} "$file" "${settings[@]}" "${overrides[@]}")
if [[ -n $dry ]]; then
    echo "ready to train; output: $output"
    ((responses == 0)) || "${evaluate[@]}"
    printf '%q ' ${cpu:+VERL_PLATFORM=cpu} ${address:+"RAY_ADDRESS=$address"} "${command[@]}"
    echo
    exit
fi
if [[ -n $fresh && -e $output ]]; then
    aside=$output.$(date +%Y-%m-%d_%H-%M-%S)
    mv -T -- "$output" "$aside" && echo "run.sh: the run that was in $output is in $aside"
fi

# A Ray of this run's own has a folder of its own, by which its processes are known, and nobody else's.
run='' scratch='' hurry='' grace=${GRACE:-30}
soon=$((grace < 10 ? grace : 10)) # for what comes after a SIGTERM
if [[ -n $address ]]; then
    export RAY_ADDRESS=$address
else
    scratch=$(mktemp -d "${RAY_TMPDIR:-/tmp}/rXXXX")
    command=(env -u RAY_ADDRESS "RAY_TMPDIR=$scratch" "${command[@]}")
fi

left_over() { # Ray's processes leave the group, and their new titles overwrite their environment; not their logs
    [[ -n $scratch ]] || return 0
    {
        grep -lzxsF "RAY_TMPDIR=$scratch" /proc/[0-9]*/environ || true
        find /proc/[0-9]*/fd -lname "$scratch/*" 2>/dev/null || true
    } | cut -d/ -f3 | sort -u
}
group() { kill -"$1" -- "-$run" 2>/dev/null; }
gone() { # seconds, function that tells what is left
    local end=$((SECONDS + $1))
    while [[ -n $("$2") ]]; do
        ((SECONDS < end)) && [[ -z $hurry ]] || return 1
        sleep 0.1
    done
}
in_group() { if group 0; then echo yes; fi; }

tidy() { # whatever became of the run, nothing of it stays
    local signal
    [[ -z $run ]] || group KILL || true
    for signal in TERM KILL; do
        left_over | xargs -r kill -"$signal" 2>/dev/null || true
        if gone "$soon" left_over; then break; fi
        hurry=''
    done
    if [[ -n $scratch ]]; then rm -rf -- "$scratch"; fi
}
sweep() { # at the very end
    trap - EXIT
    tidy
}
start() { # a command, to its end; its exit code is in `code`
    set -m # a process group, which signals reach from here and nowhere else
    "$@" </dev/null &
    run=$!
    set +m
    code=0
    wait "$run" || code=$?
}
stop() { # signal, exit code
    trap 'hurry=yes' INT TERM HUP
    echo "run.sh: SIG$1, stopping the run; once more kills it at once" >&2
    if [[ -n $run ]]; then
        if ! { group INT && gone "$grace" in_group; }; then { group TERM && gone "$soon" in_group; } || true; fi
    fi
    sweep
    fail "$2" "stopped by SIG$1; --resume goes on from the last checkpoint in $output"
}
trap sweep EXIT
trap 'stop INT 130' INT
trap 'stop TERM 143' TERM
trap 'stop HUP 129' HUP

start "${command[@]}"
if ((code)) && [[ -n $scratch ]]; then
    logs=$output/ray_logs_$(date +%Y-%m-%d_%H-%M-%S)
    mkdir -p -- "$logs"
    cp -r "$scratch"/ray/session_2*/logs/. "$logs" 2>/dev/null || true
    echo "run.sh: Ray's logs are in $logs" >&2
fi
tidy # before an evaluation, which needs the GPUs
((code == 0)) || fail "$code" "the run ended with code $code"
if ((responses)); then
    echo "run.sh: the run is done; its final evaluation begins"
    start "${evaluate[@]}"
fi
sweep
((code == 0)) || fail "$code" "the run is done, its final evaluation ended with code $code; --resume tries that again"
