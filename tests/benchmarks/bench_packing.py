"""What packing gains: tokens a second of training steps on the same chats, padded and packed, taken in turns.

The model is a Qwen2 of random weights, a small one on one thread of the CPU, or one in bfloat16 on a GPU. With --masked
a packed row has one mask over all its tokens, as models with windows have it. The figures never decide the exit code.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from arguments import parser, whole
from device import CUDA, Device, add_device, take_device

EXAMPLES = """examples:
  python tests/benchmarks/bench_packing.py
  python tests/benchmarks/bench_packing.py --rounds 20 --json build/bench_packing.json
  python tests/benchmarks/bench_packing.py --device cuda --hidden 2048 --layers 16 --batch 16
"""
PADDED, PACKED = "padded", "packed"
LENGTHS = {  # of chats in tokens: from, to, and the power that makes short ones frequent
    "mixed, 16 to 512": (16, 512, 3),
    "mixed, 16 to 1024": (16, 1024, 3),
    "alike, 256": (256, 256, 1),
}


def build_parser() -> argparse.ArgumentParser:
    made = parser(__doc__, EXAMPLES)
    add_device(made)
    made.add_argument("--hidden", type=whole(64), default=256, help="width of the model (default: 256)")
    made.add_argument("--layers", type=whole(1), default=2, help="its layers (default: 2)")
    made.add_argument("--batch", type=whole(1), default=8, help="chats of a batch (default: 8)")
    made.add_argument("--rounds", type=whole(1), default=8, help="batches of each kind (default: 8)")
    made.add_argument("--masked", action="store_true", help="leave the packed row one attention with a mask")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    device = take_device(arguments.device)
    from machine import header, peak_memory
    from measuring import ratio, spread_of
    from report import shown, table, write_json

    print(header("torch", "transformers", gpu=device.gpu), end="\n\n")
    results, rows = {}, []
    for name in LENGTHS:
        found = results[name] = measure(name, arguments, device)
        speeds = [shown(spread_of(found[kind]["speed"]), 1e-3) for kind in (PADDED, PACKED)]
        gain = shown(ratio(found[PACKED]["speed"], found[PADDED]["speed"]))
        rows.append([name, f"{median(found[PADDED]['padding']):.0%}", *speeds, gain])
    print(f"{arguments.batch} chats a batch; medians (least - most) of {arguments.rounds} batches, each taken by both,")
    print(f"in turns; in thousand tokens a second. {peak_memory()}{device.held()}\n")
    print(table(["lengths in tokens", "padding", PADDED, PACKED, "packed, times padded"], rows))
    write_json(arguments.json, results)
    return 0


def measure(lengths: str, arguments: argparse.Namespace, device: Device) -> dict[str, dict[str, list[float]]]:
    """Tokens a second and the share of padding, batch by batch; the first warms up."""
    import torch
    from measuring import run_rounds, said
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from curriculum_verl.inference.attention import leave_cudnn_attention
    from curriculum_verl.sft.data import ROWS, Collator
    from curriculum_verl.sft.packing import PackingCollator, attend_by_chat

    torch.manual_seed(0)
    leave_cudnn_attention()  # as training does
    hidden, layers = arguments.hidden, arguments.layers
    sizes = {"hidden_size": hidden, "intermediate_size": 4 * hidden, "num_hidden_layers": layers}
    heads = {"num_attention_heads": 8, "num_key_value_heads": 4}
    config = Qwen2Config(vocab_size=4096, max_position_embeddings=2048, **sizes, **heads)
    kind = torch.bfloat16 if device.name == CUDA else torch.float32
    made = Qwen2ForCausalLM._from_config(config, attn_implementation="sdpa", dtype=kind)
    model = made.to(device.name).train()  # type: ignore[arg-type]
    model.config.use_cache = False
    if not arguments.masked:
        attend_by_chat(model)  # a padded batch is as it is with sdpa
    low, high, power = LENGTHS[lengths]

    def chats() -> list[dict[str, Any]]:
        counts = [round(low + share * (high - low)) for share in torch.rand(arguments.batch).pow(power).tolist()]
        tokens = [torch.randint(1, 4096, (count,)) for count in counts]
        return [{"input_ids": one, "labels": one, ROWS: 0} for one in tokens]

    def taking(collator: Any) -> Callable[[], dict[str, float]]:
        left = iter(batches)

        def turn() -> dict[str, float]:
            rows = next(left)
            count = sum(len(row["input_ids"]) for row in rows)
            began = device.now()
            given = {key: value.to(device.name) for key, value in collator(rows).items() if key != ROWS}
            model(**given).loss.backward()
            speed = count / (device.now() - began)
            model.zero_grad()
            return {"speed": speed, "padding": 1 - count / given["input_ids"].numel()}

        return turn

    batches = [chats() for _ in range(arguments.rounds + 1)]
    turns = {PADDED: taking(Collator(0)), PACKED: taking(PackingCollator())}
    return run_rounds(turns, arguments.rounds, said, warm_up=1)


if __name__ == "__main__":
    sys.exit(main())
