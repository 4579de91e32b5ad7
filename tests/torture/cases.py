"""The cases: what each is, in words without figures, and what makes its next part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from torture import engine, faults, fuzzing, grpo, killing, real, sft, tools, training_faults
from torture.outcome import Record
from torture.work import Work

Next = Callable[[Work, Sequence[Record]], Record | None]


@dataclass(frozen=True, slots=True)
class Case:
    """`next` makes the next part after those that are done, or nothing when all are; `options` say how much it does."""

    name: str
    title: str
    words: str
    next: Next
    options: tuple[str, ...] = ()


CASES = (
    Case(
        "tools",
        "Data tools, killed",
        "`bucket`, `preprocess`, `score-trajectories`, `generate`, `evaluate` and `analyze` take turns. Each is killed "
        "by SIGKILL: one half at any moment of a run, the other while it writes. Half of them have two workers, which "
        "are killed, too, or left alone and must end by themselves; some overwrite a result. First it is seen whether "
        "the next step would take what lies there for a result; if it would, that must be a whole one. Then the same "
        "command runs again, with `--overwrite` where its message asks for it, and what it leaves is compared byte for "
        "byte with an undisturbed run; of JSON that differs, the values but for times.",
        tools.next_kill,
        ("kills",),
    ),
    Case(
        "sft",
        "Fine-tuning, killed and resumed",
        "A run of `--mode sft` on a small model is killed a few times, resumed by the same command each time, and "
        "then goes to its end. Two recipes take turns: three stages that end by steps, with dropout; and adapters with "
        "a policy that learns, skipped prompts, replay and a stage that is taken back with its weights. One half of "
        "the kills comes at any moment after a start, the other after its first step. Final weights and those of all "
        "checkpoints that stay must be equal to the bit; every line of the metrics file but for what a clock says, "
        "with every switch of stage, and the curriculum's states must be those of the undisturbed run.",
        partial(killing.next_run, sft.TRAINING),
        ("kills",),
    ),
    Case(
        "grpo",
        "GRPO in verl, killed and resumed",
        "The same with verl's own trainer on a CPU: Ray and all its processes are killed at once. Two recipes take "
        "turns: three stages that end by steps and by a validation; and a policy that learns, skipped prompts, replay "
        "and a stage that is taken back with its weights. The logged rollouts of every step (prompts, responses, "
        "rewards, weights), the switches of stage, the curriculum's last state and the final weights must be equal, "
        "and of the metrics those that are no sums in any order. A line of metrics may be missing where a kill came "
        "between a checkpoint and its line, never more than one a kill. As a start of verl takes so much longer, this "
        "case gets one fifth of the kills of training runs and fine-tuning the rest.",
        partial(killing.next_run, grpo.TRAINING),
        ("kills",),
    ),
    Case(
        "faults",
        "Faults of the data tools",
        "A full disk and one that cannot be written to (a small file system in memory, mounted where only the tool "
        "sees it), an input that is lost, a second process on the same output folder, Ctrl-C once and twice. Each must "
        "end with the documented exit code and a message without a traceback; after the mend the same command must "
        "leave what the undisturbed run left. Files that are cut off at random bytes must be refused by name by "
        "whatever reads them; of a metrics file all whole lines are read, and a writer goes on behind a torn one.",
        faults.next_fault,
    ),
    Case(
        "sft-faults",
        "Faults of fine-tuning",
        "The same for a training run, whose input is a file of its data; besides, each file of a checkpoint is lost or "
        "cut off in turn, its metrics file in the middle of a line, and the clock "
        "jumps by a day in both directions all the time. Either the run is refused in words, and goes on from an "
        "earlier checkpoint when the damaged one is removed, or it goes on by itself; the end must be the undisturbed "
        "run's in either case.",
        partial(training_faults.next_fault, training_faults.SFT),
    ),
    Case(
        "grpo-faults",
        "Faults of GRPO in verl",
        "The same for a run of verl's trainer, whose own errors come with a traceback through Ray: a run must not end "
        "well, or must end as the undisturbed one; where the curriculum refuses, its words must be among what is said. "
        "Of a checkpoint, the curriculum's files are damaged, the state of the data and the weights; the last two are "
        "verl's to read, and what it says of them is not judged. Nothing may be left running, but Ray's own agents for "
        "a minute or two, while they look for servers that are gone.",
        partial(training_faults.next_fault, training_faults.GRPO),
    ),
    Case(
        "engine",
        "A long run of the engine",
        "The curriculum with its posterior policy, replay and admission on many made-up prompts, against a simulated "
        "learner. It tells a metrics file of every step and saves its state every few steps, as a trainer does. "
        "Memory, files and the size of the state must not grow by more than a tenth once they have settled; a line "
        "of the metrics file, whose numbers get longer, by no more than half.",
        engine.next_run,
        ("steps", "prompts"),
    ),
    Case(
        "real-steps",
        "A long run of verl",
        "GRPO in verl on a CPU. The memory of its processes is read early and at the end; Ray's server is told to keep "
        "what it knows of a few tasks only, as by its default it grows for hours, under verl alone just as with a "
        "curriculum. No kind of process may grow by more than a few per cent or megabytes. Files in the run's folder "
        "must stay as many and as large as `max_actor_ckpt_to_keep` explains, what tells of a step and verl's small "
        "`data.pt`, which it never removes, aside. Every step must be told and logged, and nothing may be left behind: "
        "no process, no shared memory, no temporary file but verl's own empty lock files, which are counted, and the "
        "cache of torch's compiler.",
        real.next_run,
        ("real_steps",),
    ),
    Case(
        "fuzz",
        "Made-up inputs",
        "Readers of JSON lines, manifests, state files, recipes, metrics files, trajectories and all verifiers, of "
        "that of code the readers of programs, tests and values, each on inputs that Hypothesis makes up, and the "
        "readers besides on those of Atheris, which follows what they reach in the code: whatever stands in them, it "
        "is read, or refused in words. `make fuzz` runs this case alone.",
        fuzzing.next_file,
        ("examples",),
    ),
)
