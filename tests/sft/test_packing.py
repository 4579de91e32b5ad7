"""A packed batch is the padded one without its padding: loss, gradients, feedback and evaluation are the same."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from integration.verl_toy import toy_tokenizer
from sft.killed import run_and_kill
from sft.toy_sft import BUCKETS, recipe, same, told, weights
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    BloomForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.sft import packing
from curriculum_verl.sft.config import LoraConfig
from curriculum_verl.sft.data import IGNORED, ROWS, Collator
from curriculum_verl.sft.lora import add_adapters
from curriculum_verl.sft.packing import BY_CHAT, PLACES, PackingCollator, attend_by_chat, require_packing
from curriculum_verl.sft.run import build_trainer, run_sft
from curriculum_verl.sft.scoring import row_accuracy, row_loss
from curriculum_verl.sft.trainer import CurriculumTrainer

CPU = torch.device("cpu")
PAD = toy_tokenizer().pad_token_id


def chats(*lengths: int) -> list[dict[str, Any]]:
    """Chats of random tokens; the first third of each has no loss, but for its very first token."""
    generator = torch.Generator().manual_seed(3)
    made = []
    for row, length in enumerate(lengths):
        tokens = torch.randint(4, 200, (length,), generator=generator)
        labels = torch.where(torch.arange(length) % (length // 3 + 1) == 0, tokens, IGNORED)
        labels[length // 3 :] = tokens[length // 3 :]
        made.append({"input_ids": tokens, "labels": labels, ROWS: row})
    return made


def build(toy: Path, kind: str, attention: str) -> Any:
    """A model without dropout and with weights large enough that attention matters."""
    torch.manual_seed(0)
    if kind == "llama":
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        config = LlamaConfig(vocab_size=300, **sizes, initializer_range=0.2)
        model = LlamaForCausalLM._from_config(config, attn_implementation=attention.split()[0])
    else:
        model = AutoModelForCausalLM.from_pretrained(
            toy / "model", attn_implementation=attention.split()[0], attention_dropout=0.0
        )
        for parameter in model.parameters():
            parameter.data.mul_(3)
    model.config.use_cache = False
    if attention == "sdpa":
        attend_by_chat(model)
        assert model.config._attn_implementation == BY_CHAT
    return add_adapters(model, LoraConfig(rank=2)) if kind == "adapters" else model


def losses(model: Any, batch: dict[str, torch.Tensor]) -> tuple[list[float], dict[str, torch.Tensor]]:
    """The loss of a batch and those of its chats, and all gradients."""
    model.zero_grad()
    made = model(**{key: value for key, value in batch.items() if key != ROWS}, num_items_in_batch=torch.tensor(7))
    made.loss.backward()
    rows = row_loss(made.logits.detach(), batch["labels"], batch.get(PLACES))
    shares = row_accuracy(made.logits.detach(), batch["labels"], batch.get(PLACES))
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return [float(made.loss.detach()), *rows.tolist(), *shares.tolist()], gradients


@pytest.mark.parametrize("checkpointing", [False, True], ids=["", "checkpointing"])
@pytest.mark.parametrize("attention", ["sdpa", "sdpa with a mask", "eager"])
@pytest.mark.parametrize("kind", ["qwen2", "llama", "adapters"])
def test_loss_and_gradients_are_those_of_the_padded_batch(
    toy: Path, kind: str, attention: str, checkpointing: bool
) -> None:
    model = build(toy, kind, attention).train()
    if checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable({"use_reentrant": False})
    rows = chats(5, 17, 3, 30)
    padded, gradients = losses(model, Collator(PAD)(rows))
    packed, others = losses(model, PackingCollator()(rows))
    assert packed == pytest.approx(padded, rel=1e-5)
    assert len(set(packed[1:5])) == 4, "a loss for each chat"
    assert gradients.keys() == others.keys()
    assert any(float(value.abs().max()) > 1e-3 for value in gradients.values())
    for name, value in gradients.items():
        assert torch.allclose(others[name], value, rtol=1e-4, atol=2e-6), name


@pytest.mark.parametrize("attention", ["sdpa", "sdpa with a mask", "eager"])
def test_one_chat_never_sees_another_and_this_test_would_see_it(toy: Path, attention: str) -> None:
    model = build(toy, "qwen2", attention).eval()
    one, other = chats(9, 12), chats(9, 12)
    other[0]["input_ids"] = other[0]["input_ids"].flip(0)
    with torch.no_grad():
        batches = [PackingCollator()(rows) for rows in (one, other)]
        apart = [model(batch["input_ids"], position_ids=batch[PLACES]).logits[:, 9:] for batch in batches]
        masked = [
            model(batch["input_ids"], position_ids=batch[PLACES], attention_mask=torch.ones(1, 21)).logits[:, 9:]
            for batch in batches
        ]
    assert torch.equal(*apart)
    leaks = not torch.allclose(*masked, atol=1e-3)
    assert leaks == (attention != "sdpa"), "with an attention mask the chats are one, unless they are cut by position"


def test_a_row_holds_the_chats_and_asks_nobody_for_a_first_token() -> None:
    rows = chats(4, 6)
    batch = PackingCollator()(rows)
    assert batch["input_ids"][0].tolist() == [*rows[0]["input_ids"].tolist(), *rows[1]["input_ids"].tolist()]
    assert batch[PLACES].tolist() == [[0, 1, 2, 3, 0, 1, 2, 3, 4, 5]]
    assert batch[ROWS].tolist() == [0, 1]
    assert rows[1]["labels"][0] != IGNORED
    assert batch["labels"][0, 4] == IGNORED
    assert "attention_mask" not in batch


def test_a_model_without_positions_is_refused() -> None:
    model = BloomForCausalLM(BloomConfig(vocab_size=300, hidden_size=16, n_layer=1, n_head=2))
    with pytest.raises(InputError, match=r"data\.packing: BloomForCausalLM takes no position_ids, expected a model"):
        require_packing(model, CPU)


@pytest.mark.parametrize("kind", ["llama", "adapters"])
def test_a_model_that_mixes_chats_is_refused(toy: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    model = build(toy, kind, "eager").train()
    require_packing(model, CPU)
    assert model.training
    pack = PackingCollator.__call__
    monkeypatch.setattr(
        packing.PackingCollator,
        "__call__",
        lambda self, rows: pack(self, rows) | {"attention_mask": torch.ones(1, sum(len(r["input_ids"]) for r in rows))},
    )
    with pytest.raises(InputError, match="with attention 'eager' a chat sees the one before it"):
        require_packing(model, CPU)


def test_a_model_with_windows_keeps_its_masks() -> None:
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = MistralConfig(vocab_size=300, **sizes, num_key_value_heads=2, sliding_window=4, initializer_range=0.2)
    model = MistralForCausalLM._from_config(config, attn_implementation="sdpa")
    attend_by_chat(model)
    assert model.config._attn_implementation == "sdpa"
    rows = chats(5, 17, 3, 30)
    model.config.use_cache = False
    padded, _ = losses(model, Collator(PAD)(rows))
    packed, _ = losses(model, PackingCollator()(rows))
    assert packed == pytest.approx(padded, rel=1e-5)


def test_a_packed_row_costs_no_more_attention_than_its_chats(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, object]] = []
    attend = packing.sdpa_attention_forward

    def watch(module: Any, query: Any, key: Any, value: Any, mask: Any, **kwargs: Any) -> Any:
        seen.append((query.shape[2], mask))
        return attend(module, query, key, value, mask, **kwargs)

    monkeypatch.setattr(packing, "sdpa_attention_forward", watch)
    losses(build(toy, "qwen2", "sdpa"), PackingCollator()(chats(5, 17, 3)))
    assert seen == [(5, None), (17, None), (3, None)], "one layer"


def test_attention_by_chat_answers_as_sdpa_does(toy: Path) -> None:
    """Generation pads on the left and keeps what it has read."""
    asked = [[5, 6, 7, 8, 9], [5, 6]]
    tokens = torch.tensor([[PAD] * (5 - len(ids)) + ids for ids in asked])
    mask = torch.tensor([[0] * (5 - len(ids)) + [1] * len(ids) for ids in asked])
    made = []
    for attention in ("sdpa", "sdpa with a mask"):
        model = build(toy, "qwen2", attention).eval()
        options = {"max_new_tokens": 6, "do_sample": False, "use_cache": True, "pad_token_id": PAD}
        made.append(model.generate(tokens, attention_mask=mask, **options))
        made.append(model.generate(tokens[:1], **options))
    assert torch.equal(made[0], made[2])
    assert torch.equal(made[1], made[3])


def test_models_that_see_are_not_packed(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.packing: got true with model\.vision=true"):
        recipe(toy, tmp_path, "data.packing=true", "model.vision=true")


STEADY = (  # no dropout: where its randomness falls depends on the shape of a batch
    "training.log_every=1",
    "training.gradient_checkpointing=true",
    "evaluation.batch_size=5",
    "curriculum.policy={name: bandit}",
)


@pytest.fixture
def steady(toy: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "steady"
    folder.mkdir()
    for path in toy.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "model").unlink()
    (folder / "model").mkdir()
    for path in (toy / "model").iterdir():
        (folder / "model" / path.name).write_bytes(path.read_bytes())
    config = folder / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"attention_dropout": 0.0}))
    return folder


def test_a_packed_run_draws_and_learns_the_same(steady: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[list[int], list[float]]] = []
    take = CurriculumTrainer.take_feedback

    def watch(self: CurriculumTrainer) -> Any:
        rows, scores, loss = take(self)
        seen.append((rows, [score for [score] in scores]))
        return rows, scores, loss

    monkeypatch.setattr(CurriculumTrainer, "take_feedback", watch)
    padded = run_sft(recipe(steady, tmp_path / "padded", *STEADY))
    before = list(seen)
    seen.clear()
    packed = run_sft(recipe(steady, tmp_path / "packed", *STEADY, "data.packing=true"))
    assert isinstance(packed.data_collator, PackingCollator)
    assert [rows for rows, _ in seen] == [rows for rows, _ in before]
    assert [scores for _, scores in seen] == [scores for _, scores in before]
    for one, other in zip(told(padded.root), told(packed.root), strict=True):
        numbers = {name for name in one["metrics"] if "loss" in name or "score" in name or "accuracy" in name}
        assert len(numbers) >= 2
        for name in numbers:
            assert other["metrics"][name] == pytest.approx(one["metrics"][name], rel=1e-4, abs=1e-5), name
    one, other = (json.loads((run.root / "evaluation.json").read_text()) for run in (padded, packed))
    for bucket in BUCKETS:
        assert other["buckets"][bucket] == pytest.approx(one["buckets"][bucket], rel=1e-4)
    ends = [weights(run.root / "final") for run in (padded, packed)]
    assert all(torch.allclose(ends[0][name], ends[1][name], atol=1e-4) for name in ends[0])


def test_a_killed_packed_run_goes_on_as_one_that_never_stopped(toy: Path, tmp_path: Path) -> None:
    """With dropout, whose randomness is resumed as well."""
    run_and_kill("sft.toy_sft:recipe", 6, toy, tmp_path / "killed", "data.packing=true")
    whole = run_sft(recipe(toy, tmp_path / "whole", "data.packing=true"))
    resumed = run_sft(recipe(toy, tmp_path / "killed", "data.packing=true"), "auto")
    assert told(resumed.root, "start")[-1]["step"] == 4
    assert same(weights(resumed.root / "final"), weights(whole.root / "final"))


def test_adapters_train_in_half_precision(toy: Path, tmp_path: Path) -> None:
    wanted = ("lora={rank: 2}", "model.dtype=bfloat16", "training.bf16=true", "training.max_steps=2")
    trainer = build_trainer(recipe(toy, tmp_path, *wanted, "data.packing=true"))
    trainer.train()
    assert trainer.state.global_step == 2
    assert all("lora_" in name for name in weights(tmp_path / "checkpoint-2"))


def test_experts_are_packed_and_resumed_exactly(toy: Path, tmp_path: Path) -> None:
    """Their weights have other names in files than in the model, which the Trainer does not turn back."""
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "head_dim": 8,
    }
    experts = {"moe_intermediate_size": 16, "num_experts": 4, "num_experts_per_tok": 2, "num_key_value_heads": 2}
    tokenizer = toy_tokenizer()
    tokenizer.save_pretrained(tmp_path / "model")
    Qwen3MoeForCausalLM(Qwen3MoeConfig(vocab_size=len(tokenizer), **sizes, **experts)).save_pretrained(
        tmp_path / "model"
    )
    wanted = ("data.packing=true", f"model.path={tmp_path / 'model'}")
    whole = run_sft(recipe(toy, tmp_path / "whole", *wanted))
    resumed = run_sft(recipe(toy, tmp_path / "again", *wanted), str(whole.root / "checkpoint-4"))
    assert same(weights(resumed.root / "final"), weights(whole.root / "final"))
    assert any("experts.3.down_proj" in name for name in weights(whole.root / "final")), "as other programs know them"
