"""What packing gains: tokens a second of training steps on the same chats, padded and packed, taken in turns.

The model is a small Qwen2 on one thread of the CPU. With --masked a packed row has one mask over all its tokens, as
models with windows have it. The figures never decide the exit code.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

EXAMPLES = """examples:
  python tests/benchmarks/bench_packing.py
  python tests/benchmarks/bench_packing.py --rounds 20 --json build/bench_packing.json
"""
LENGTHS = {  # of chats in tokens: from, to, and the power that makes short ones frequent
    "mixed, 16 to 512": (16, 512, 3),
    "mixed, 16 to 1024": (16, 1024, 3),
    "alike, 256": (256, 256, 1),
}


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=8, help="chats of a batch (default: 8)")
    parser.add_argument("--rounds", type=int, default=8, help="batches of each kind (default: 8)")
    parser.add_argument("--masked", action="store_true", help="leave the packed row one attention with a mask")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write all figures to this file")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    print(f"{arguments.batch} chats a batch, median of {arguments.rounds} batches, thousand tokens a second\n")
    print(f"{'lengths':<22}{'padding':>10}{'padded':>10}{'packed':>10}{'gain':>8}")
    results = {}
    for name in LENGTHS:
        found = results[name] = measure(name, arguments.batch, arguments.rounds, masked=arguments.masked)
        speeds = "".join(f"{found[kind] / 1000:>10.2f}" for kind in ("padded", "packed"))
        print(f"{name:<22}{found['padding']:>10.0%}{speeds}{found['gain']:>7.2f}x")
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
        print(f"\nwritten: {arguments.json}")
    return 0


def measure(lengths: str, batch: int, rounds: int, *, masked: bool) -> dict[str, float]:
    """Medians of tokens a second, the gain as the median of the pairs, and the share of padding."""
    import torch
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
    collators = {"padded": Collator(0), "packed": PackingCollator()}
    low, high, power = LENGTHS[lengths]
    speeds: dict[str, list[float]] = {kind: [] for kind in collators}
    padding = []
    for turn in range(rounds + 1):
        rows = []
        for share in torch.rand(batch).pow(power).tolist():
            tokens = torch.randint(1, 4096, (round(low + share * (high - low)),))
            rows.append({"input_ids": tokens, "labels": tokens, ROWS: 0})
        count = sum(len(row["input_ids"]) for row in rows)
        for kind in sorted(collators, reverse=bool(turn % 2)):
            given: dict[str, Any] = {key: value for key, value in collators[kind](rows).items() if key != ROWS}
            started = time.perf_counter()
            model(**given).loss.backward()
            if turn:  # the first warms up
                speeds[kind].append(count / (time.perf_counter() - started))
            if kind == "padded":
                padding.append(1 - count / given["input_ids"].numel())
        model.zero_grad()
    gain = median(packed / padded for packed, padded in zip(speeds["packed"], speeds["padded"], strict=True))
    return {kind: median(values) for kind, values in speeds.items()} | {"gain": gain, "padding": median(padding)}


if __name__ == "__main__":
    sys.exit(main())
