#!/usr/bin/env bash
# Rollouts to ready-to-train parquet in one command. Needs curriculum_verl, from this checkout or installed.
# How to launch it and what to override: --help. The steps are the last lines; put yours, such as training, after them.
set -euo pipefail

usage() {
    cat <<'END'
usage: run_curriculum_pipeline.sh -i ROLLOUTS -o FOLDER [-m METRIC] [-n N] [OPTION OF bucket ...]
                                  [--cumulative] [--force] [-- OPTION OF preprocess ...]

makes
  FOLDER/bucketed       a file of rollouts for each bucket, manifest.json, report.html
  FOLDER/preprocessed   parquet for training and validation of each bucket, manifest.json
  FOLDER/cumulative     with --cumulative: the easiest bucket, the two easiest, and so on

A step is skipped if its options, its inputs and the package version are those of its last run, and its files are as
that run left them. Otherwise, and after an interruption, it is done again; --force does every step again.

What stands before -- goes to `curriculum-verl bucket`, what stands after it to `curriculum-verl preprocess`; see their
--help. PYTHON names the Python to use. Exit code: 0 done, 1 a step failed, 2 wrong usage, 130 Ctrl-C, 143 terminated.

examples
  run_curriculum_pipeline.sh -i ./rollouts -o ./curriculum
  run_curriculum_pipeline.sh -i 'runs/*/*.jsonl.gz' -o ./curriculum -m pass_at_k --k 4 -n 5 --split-degenerate
  run_curriculum_pipeline.sh -i ./rollouts -o ./curriculum --cumulative -- --filter passing_only --train-val-split 0.95
END
}

fail() { # exit code, message
    echo "run_curriculum_pipeline.sh: $2" >&2
    exit "$1"
}

output='' cumulative='' force=() bucket=() preprocess=()
while (($#)); do
    case $1 in
        -h | --help) usage && exit ;;
        -o | --ou*) # as the commands do, take --output=FOLDER and short forms as well
            if [[ $1 == *=* ]]; then output=${1#*=}; else output=${2-} && shift; fi ;;
        -o*) output=${1#-o} ;;
        --cumulative) cumulative=yes ;;
        --force) force=(--force) ;;
        --dry-run) fail 2 "--dry-run: makes nothing for a later step to use; run curriculum-verl bucket by itself" ;;
        --) shift && preprocess=("$@") && break ;;
        *) bucket+=("$1") ;;
    esac
    shift || break
done
[[ -n $output ]] || fail 2 "got no -o FOLDER, expected one for what is made; see --help"
for option in "${preprocess[@]}"; do
    [[ ! $option =~ ^(-[io].*|--inp.*|--output(=.*)?)$ ]] || fail 2 "$option: this script sets it, leave it out"
    [[ -z $cumulative || ! $option =~ ^--(combine|output-name|cumulative) ]] || fail 2 "$option: not with --cumulative"
done

root=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
if [[ -d $root/curriculum_verl ]]; then export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}; fi
candidates=("${PYTHON:-python}")
[[ -n ${PYTHON:-} ]] || candidates+=(python3 "$root/.venv/bin/python")
for candidate in "${candidates[@]}"; do
    if "$candidate" -P -c 'import curriculum_verl.commands.rerun' 2>/dev/null; then python=$candidate && break; fi
done
[[ -n ${python-} ]] || fail 1 "no Python has curriculum_verl and what it needs (tried ${candidates[*]}): run make test
in its folder, or pip install it, or set PYTHON"

again() { "$python" -P -m curriculum_verl.commands.rerun "$@"; }
state=$output/.pipeline
to_bucket=(bucket "${bucket[@]}" --output "$output/bucketed")
to_preprocess=(preprocess "${preprocess[@]}" --input "$output/bucketed" --output)
again --parse "$state" "${to_bucket[@]}"
again --parse "$state" "${to_preprocess[@]}" "$output/preprocessed"

# Whatever stands in a folder of this script's own may be replaced, and nothing that stands in any other.
if [[ -e $output && ! -d $state && ! (-d $output && -z $(ls -A -- "$output")) ]]; then
    fail 1 "$output: holds what this script has not made; expected a new or empty folder, or one of an earlier run"
fi
mkdir -p -- "$state"

# A step is a process group of its own, so that a signal reaches it once, from here; it then removes what is half made.
set -m
running=''
stop() { # signal, exit code
    trap '' INT TERM HUP
    if [[ -n $running ]] && kill -INT -- "-$running" 2>/dev/null; then wait "$running" || true; fi
    fail "$2" "stopped by SIG$1; the same command goes on from here"
}
trap 'stop INT 130' INT
trap 'stop TERM 143' TERM
trap 'stop HUP 129' HUP

step() { # name of the folder, command and its arguments
    again "${force[@]}" "$state/$1.json" "${@:2}" &
    running=$!
    wait "$running" || fail $? "stopped at $output/$1, which is as it was before; the same command goes on from here"
    running=''
}

step bucketed "${to_bucket[@]}"
step preprocessed "${to_preprocess[@]}" "$output/preprocessed"
if [[ -n $cumulative ]]; then
    step cumulative "${to_preprocess[@]}" "$output/cumulative" --cumulative
elif [[ -d $output/cumulative ]]; then
    echo "note: $output/cumulative is of an earlier run; --cumulative renews it"
fi
echo "ready to train: $output/preprocessed/manifest.json${cumulative:+ and $output/cumulative}"
