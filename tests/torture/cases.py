"""The cases: what each is, in words without figures, and what makes its next part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torture import engine, faults, fuzzing, grpo, real, sft, sft_faults, tools
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
        "by SIGKILL with all its processes: one half at any moment of a run, the other while it writes. First it is "
        "seen whether the next step would take what lies there for a result; if it would, that must be the whole "
        "result. Then the same command runs again, with `--overwrite` where its message asks for it, and what it "
        "leaves is compared byte for byte with an undisturbed run.",
        tools.next_kill,
        ("kills",),
    ),
    Case(
        "sft",
        "Fine-tuning, killed and resumed",
        "A run of `--mode sft` on a small model with dropout and three stages is killed a few times, each time it is "
        "resumed by the same command, and then goes to its end. Final weights must be equal to the bit; every line of "
        "the metrics file, every switch of stage, the curriculum's last state and the checkpoints that stay must be "
        "those of the undisturbed run.",
        sft.next_run,
        ("kills",),
    ),
    Case(
        "grpo",
        "GRPO in verl, killed and resumed",
        "The same with verl's own trainer on a CPU: Ray and all its processes are killed at once. The logged rollouts "
        "of every step (prompts, responses, rewards, weights), the switches of stage, the curriculum's last state and "
        "the final weights must be equal. A line of metrics may be missing where a kill came between a checkpoint and "
        "its line, never more than one a kill. As a start of verl takes so much longer, this case gets one fifth of "
        "the kills of training runs and fine-tuning the rest.",
        grpo.next_run,
        ("kills",),
    ),
    Case(
        "faults",
        "Faults of the data tools",
        "A full disk and one that cannot be written to (a small file system in memory, mounted where only the tool "
        "sees it), an input that is lost, a second process on the same output folder, Ctrl-C once and twice, and files "
        "cut off at random bytes. Each must end with the documented exit code and a message without a traceback; "
        "after the mend the same command must leave what the undisturbed run left.",
        faults.next_fault,
    ),
    Case(
        "sft-faults",
        "Faults of fine-tuning",
        "The same for a training run; besides, each file of the last checkpoint is lost or cut off in turn, and the "
        "clock jumps by a day in both directions all the time. Either the run is refused in words, and goes on from an "
        "earlier checkpoint when the damaged one is removed, or it goes on by itself; the end must be the undisturbed "
        "run's in either case.",
        sft_faults.next_fault,
    ),
    Case(
        "engine",
        "A long run of the engine",
        "The curriculum with its posterior policy, replay and admission on many made-up prompts, against a simulated "
        "learner. It tells a metrics file of every step and saves its state every few steps, as a trainer does. "
        "Memory, files and the size of the state must not grow once they have settled.",
        engine.next_run,
        ("steps", "prompts"),
    ),
    Case(
        "real-steps",
        "A long run of verl",
        "GRPO in verl on a CPU. The memory of its processes is read early and at the end; Ray's server is told to keep "
        "what it knows of a few tasks only, as by its default it grows for hours, under verl alone just as with a "
        "curriculum. Files in the run's folder "
        "must stay as many as `max_actor_ckpt_to_keep` and the logs explain, and nothing may be left behind: no "
        "process, no shared memory, no temporary file but verl's own empty lock files, which are counted.",
        real.next_run,
        ("real_steps",),
    ),
    Case(
        "fuzz",
        "Made-up inputs",
        "Readers of JSON lines, manifests, state files, recipes, metrics files, trajectories and all verifiers, each "
        "on inputs that Hypothesis makes up: whatever stands in them, it is read, or refused in words. `make fuzz` "
        "runs this case alone.",
        fuzzing.next_file,
        ("examples",),
    ),
)
