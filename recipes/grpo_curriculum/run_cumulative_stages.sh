#!/usr/bin/env bash
# One run of verl for each stage - the easiest bucket, the two easiest, and so on to all - with an evaluation by bucket
# before the first and after each. The work is done by cumulative_stages.py, which starts run.sh for every stage.
set -euo pipefail

usage() {
    cat <<'END_OF_USAGE'
usage: run_cumulative_stages.sh --model MODEL --data MANIFEST [--recipe RECIPE] [--steps N[,N...]] [--gpus N]
                                [--output FOLDER] [--eval-responses N] [--cpu] [--dry-run] [key=value ...]
                                [-- OPTION OF evaluate ...]

--model MODEL        folder of model and tokenizer, or a name on the hub
--data MANIFEST      manifest.json, as curriculum-verl preprocess wrote it; each of its buckets adds a stage
--recipe RECIPE      a recipe beside this script, or a YAML file; all of it counts but its stages (cumulative)
--steps N[,N...]     steps a stage: one number for all, or one for each (200)
--gpus N             GPUs of every node, for training and evaluation (what the recipe says)
--output FOLDER      all that is made (checkpoints/curriculum_verl/cumulative_stages)
--eval-responses N   responses to each validation prompt in an evaluation (8)
--cpu                train and evaluate without a GPU, small models only
--dry-run            look at everything, say what is done and what would be, start nothing
key=value            goes to verl, in every stage, and has the last word
-- OPTION ...        goes to curriculum-verl evaluate, see its --help

makes
  FOLDER/01_NAME, ...           a stage: recipe.yaml, which says all of it, and its checkpoints global_step_N
  FOLDER/evaluation.json, ...   success of the model before and after every stage, by bucket; a table and a chart beside
  FOLDER/curriculum.jsonl       the metrics of all stages

Every stage goes on where the one before has ended: weights, optimizer, learning rate, step number, and place in the
data. Stopped or killed at any moment, the same command goes on; what is finished is not done again, and other
settings are refused. Ctrl-C ends all that runs. PYTHON and RAY_ADDRESS are those of run.sh.
Exit code: 0 all is done; 1 something is missing or failed, else what a stage ended with; 2 wrong usage; 129, 130, 143
stopped by SIGHUP, Ctrl-C, SIGTERM.

examples
  run_cumulative_stages.sh --model Qwen/Qwen2.5-1.5B-Instruct --data preprocessed/manifest.json --gpus 4
  run_cumulative_stages.sh --model models/1.5b --data preprocessed/manifest.json --steps 150,200,250 --output runs/c \
      actor_rollout_ref.actor.optim.lr_scheduler_type=cosine "trainer.logger=[console,wandb]"
  run_cumulative_stages.sh --model models/7b --data preprocessed/manifest.json --recipe lora --gpus 1 \
      -- --verifier math --temperature 0.7
  run_cumulative_stages.sh --model models/tiny --data preprocessed/manifest.json --cpu --steps 20 --dry-run
END_OF_USAGE
}

fail() { # exit code, message
    echo "run_cumulative_stages.sh: $2" >&2
    exit "$1"
}

model='' data='' recipe=cumulative steps=200 gpus='' output=checkpoints/curriculum_verl/cumulative_stages
responses=8 flags=() overrides=() evaluation=()
while (($#)); do
    case $1 in
        -h | --help) usage && exit ;;
        --model | --data | --recipe | --steps | --gpus | --output | --eval-responses)
            [[ -n ${2-} ]] || fail 2 "$1: got nothing, expected a value; see --help"
            case $1 in
                --model) model=$2 ;;
                --data) data=$2 ;;
                --recipe) recipe=$2 ;;
                --steps) steps=$2 ;;
                --gpus) gpus=$2 ;;
                --output) output=$2 ;;
                --eval-responses) responses=$2 ;;
            esac
            shift
            ;;
        --cpu | --dry-run) flags+=("$1") ;;
        --) shift && evaluation=("$@") && break ;;
        -*) fail 2 "$1: no such option; see --help" ;;
        *=* | '~'*) overrides+=("$1") ;;
        *) fail 2 "$1: expected an option or key=value; see --help" ;;
    esac
    shift
done
[[ -n $model && -n $data ]] || fail 2 "expected --model MODEL --data MANIFEST; see --help"
[[ $steps =~ ^[1-9][0-9]*(,[1-9][0-9]*)*$ ]] || fail 2 "--steps $steps: expected a number of steps, or one for each stage, as 150,200,250"
[[ -z $gpus || $gpus =~ ^[1-9][0-9]*$ ]] || fail 2 "--gpus $gpus: expected a number of at least 1"
[[ $responses =~ ^[1-9][0-9]*$ ]] || fail 2 "--eval-responses $responses: expected a number of at least 1"

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
if [[ $recipe == */* || $recipe == *.yaml ]]; then file=$(readlink -m -- "$recipe"); else file=$here/$recipe.yaml; fi
names=$(cd -- "$here" && printf '%s\n' [!_]*.yaml)
[[ -f $file ]] || fail 2 "--recipe $recipe: no such recipe, expected one of ${names//.yaml$'\n'/, } or a YAML file"
if [[ -d $model ]]; then model=$(readlink -f -- "$model"); fi

candidates=("${PYTHON:-python}")
[[ -n ${PYTHON-} ]] || candidates+=(python3 "$here/../../.venv/bin/python")
python=''
for candidate in "${candidates[@]}"; do
    if [[ -z $python ]] && "$candidate" -c 'import curriculum_verl' 2>/dev/null; then python=$candidate; fi
done
[[ -n $python ]] || fail 1 "no Python has curriculum_verl (tried ${candidates[*]}):
pip install 'curriculum-verl[verl]', or set PYTHON"

export PYTHON=$python # of the stages too
# Without `exec` bash would stay between a signal and what is to be stopped.
exec "$python" "$here/cumulative_stages.py" --model "$model" --data "$(readlink -m -- "$data")" --recipe "$file" \
    --steps "$steps" ${gpus:+--gpus "$gpus"} --output "$(readlink -m -- "$output")" --eval-responses "$responses" \
    "${flags[@]}" "${overrides[@]}" -- "${evaluation[@]}"
