"""What packing gains: tokens a second of training steps on the same chats, padded and packed, taken in turns.

The model is a small Qwen2 on one thread of the CPU. With --masked a packed row has one mask over all its tokens, as
models with windows have it. The figures never decide the exit code.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from arguments import parser, whole

EXAMPLES = """examples:
  python tests/benchmarks/bench_packing.py
  python tests/benchmarks/bench_packing.py --rounds 20 --json build/bench_packing.json
"""
PADDED, PACKED = "padded", "packed"
LENGTHS = {  # of chats in tokens: from, to, and the power that makes short ones frequent
    "mixed, 16 to 512": (16, 512, 3),
    "mixed, 16 to 1024": (16, 1024, 3),
    "alike, 256": (256, 256, 1),
}


def build_parser() -> argparse.ArgumentParser:
    made = parser(__doc__, EXAMPLES)
    made.add_argument("--batch", type=whole(1), default=8, help="chats of a batch (default: 8)")
    made.add_argument("--rounds", type=whole(1), default=8, help="batches of each kind (default: 8)")
    made.add_argument("--masked", action="store_true", help="leave the packed row one attention with a mask")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    from machine import header, peak_memory
    from measuring import ratio, spread_of
    from report import shown, table, write_json

    print(header("torch", "transformers"), end="\n\n")
    results, rows = {}, []
    for name in LENGTHS:
        found = results[name] = measure(name, arguments.batch, arguments.rounds, masked=arguments.masked)
        speeds = [shown(spread_of(found[kind]["speed"]), 1e-3) for kind in (PADDED, PACKED)]
        gain = shown(ratio(found[PACKED]["speed"], found[PADDED]["speed"]))
        rows.append([name, f"{median(found[PADDED]['padding']):.0%}", *speeds, gain])
    print(f"{arguments.batch} chats a batch; medians (least - most) of {arguments.rounds} batches, each taken by both,")
    print(f"in turns; in thousand tokens a second. {peak_memory()}\n")
    print(table(["lengths in tokens", "padding", PADDED, PACKED, "packed, times padded"], rows))
    write_json(arguments.json, results)
    return 0


def measure(lengths: str, batch: int, rounds: int, *, masked: bool) -> dict[str, dict[str, list[float]]]:
    """Tokens a second and the share of padding, batch by batch; the first warms up."""
    import torch
    from measuring import run_rounds, said, timed
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from curriculum_verl.sft.data import ROWS, Collator
    from curriculum_verl.sft.packing import PackingCollator, attend_by_chat

    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 2, "num_attention_heads": 8}
    config = Qwen2Config(vocab_size=4096, num_key_value_heads=4, max_position_embeddings=2048, **sizes)
    model = Qwen2ForCausalLM._from_config(config, attn_implementation="sdpa").train()
    model.config.use_cache = False
    if not masked:
        attend_by_chat(model)  # a padded batch is as it is with sdpa
    low, high, power = LENGTHS[lengths]

    def chats() -> list[dict[str, Any]]:
        counts = [round(low + share * (high - low)) for share in torch.rand(batch).pow(power).tolist()]
        tokens = [torch.randint(1, 4096, (count,)) for count in counts]
        return [{"input_ids": one, "labels": one, ROWS: 0} for one in tokens]

    def taking(collator: Any) -> Callable[[], dict[str, float]]:
        left = iter(batches)

        def turn() -> dict[str, float]:
            rows = next(left)
            count = sum(len(row["input_ids"]) for row in rows)
            given: dict[str, Any] = {}

            def train() -> None:
                given.update((key, value) for key, value in collator(rows).items() if key != ROWS)
                model(**given).loss.backward()

            speed = count / timed(train)["seconds"]
            model.zero_grad()
            return {"speed": speed, "padding": 1 - count / given["input_ids"].numel()}

        return turn

    batches = [chats() for _ in range(rounds + 1)]
    return run_rounds({PADDED: taking(Collator(0)), PACKED: taking(PackingCollator())}, rounds, said, warm_up=1)


if __name__ == "__main__":
    sys.exit(main())
