"""From a curriculum block to a checked CurriculumConfig; all mistakes are reported at once."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from curriculum_verl.curriculum.config import (
    BUILT_IN_COMPONENTS,
    MIX_TOLERANCE,
    AlertConfig,
    AllOf,
    AnyOf,
    ConditionConfig,
    CurriculumConfig,
    MetricCondition,
    PolicyConfig,
    Stage,
)
from curriculum_verl.curriculum.formula import parse_formula
from curriculum_verl.curriculum.policies import find_policy
from curriculum_verl.curriculum.sources import ROOT, ConfigSource, read_block, source_name
from curriculum_verl.errors import ConfigError, InputError, unknown_name
from curriculum_verl.schema import INVALID, Reader, shown

OWN_METRICS = ("train/", "val/", "stage/", "run/")
TESTS = ("above", "below", "at_least", "confident_above", "plateau", "patience")


def load_config(source: ConfigSource, buckets: Sequence[str] | None = None) -> CurriculumConfig:
    """Read and check the block of a YAML file, a mapping or a Hydra config.

    With the data's `buckets` the mixes are checked against them as well.
    """
    reader = _BlockReader(read_block(source), buckets)
    try:
        config = reader.read(CurriculumConfig, reader.block, ROOT)
        reader.check_whole()
    except RecursionError:
        raise ConfigError([f"{ROOT}: is nested too deeply to be read"], source_name(source)) from None
    if reader.problems:
        raise ConfigError(reader.problems, source_name(source))
    checked: CurriculumConfig = config
    return checked


class _BlockReader(Reader):
    """Reads the block. Checks that span fields look at the raw block, so that one mistake does not hide another."""

    def __init__(self, block: Any, buckets: Sequence[str] | None):
        super().__init__(
            {
                AlertConfig: self.alert,
                ConditionConfig: self.condition,
                ConditionConfig | None: self.condition,
                PolicyConfig: self.policy,
                Stage: self.stage,
                tuple[Stage, ...]: self.stages,
            }
        )
        self.block = block
        self._buckets = buckets
        self._components = (*BUILT_IN_COMPONENTS, *_mapping(block, "components"))

    def stages(self, raw: Any, path: str) -> Any:
        stages = self._sequence(Stage, raw, path)
        if stages == ():
            return self.problem(path, "got [], expected at least one stage")
        if not isinstance(raw, list | tuple):
            return stages
        names = [stage.get("name") if isinstance(stage, Mapping) else None for stage in raw]
        for number, (name, stage) in enumerate(zip(names, raw, strict=True)):
            where = _stage_path(path, number, stage)
            has_exit = isinstance(stage, Mapping) and stage.get("exit") is not None
            if name is not None and name in names[:number]:
                self.problem(f"{where}.name", "stands twice, expected a name of its own for every stage")
            if number == len(raw) - 1 and has_exit:
                self.problem(
                    f"{where}.exit",
                    f"the last stage has nothing to advance to; remove it, or end the run with {ROOT}.stop",
                )
            if number < len(raw) - 1 and not has_exit:
                rest = ", ".join(str(name) for name in names[number + 1 :])
                self.problem(f"{where}.exit", f"is missing, so {rest} can never be reached; expected a condition")
        return stages

    def stage(self, raw: Any, path: str) -> Any:
        path = _stage_path(path, None, raw)
        before = len(self.problems)
        fields = self.arguments(Stage, raw, path)
        for bucket in _mapping(raw, "mix"):
            if self._buckets is not None and bucket not in self._buckets:
                self.problem(f"{path}.mix.{bucket}", unknown_name("bucket", bucket, self._buckets))
        for component in _mapping(raw, "rewards"):
            if component not in self._components:
                hint = "; a component of your own is listed under components"
                name = unknown_name("reward component", component, self._components)
                self.problem(f"{path}.rewards.{component}", name + hint)
        for field, check in (("mix", self._check_mix), ("rewards", self._check_rewards), ("exit", self._check_exit)):
            if fields.get(field, INVALID) is not INVALID:
                check(fields[field], f"{path}.{field}")
        if len(self.problems) > before:
            return INVALID
        total = math.fsum(fields["mix"].values())
        return Stage(**fields | {"mix": {bucket: share / total for bucket, share in fields["mix"].items()}})

    def _check_mix(self, mix: Mapping[str, float], path: str) -> None:
        total = math.fsum(mix.values())
        if not mix:
            self.problem(path, "got {}, expected a share for at least one bucket")
        elif abs(total - 1.0) > MIX_TOLERANCE:
            self.problem(path, f"got shares that sum to {total:g}, expected 1 (within {MIX_TOLERANCE:g})")

    def _check_rewards(self, rewards: Mapping[str, float], path: str) -> None:
        if not any(rewards.values()):
            self.problem(path, "got no weight other than 0, so there is nothing to learn from; expected at least one")

    def _check_exit(self, condition: ConditionConfig | None, path: str) -> None:
        never = _never_met(condition)
        if never is not None:
            self.problem(path, f"{never}, so the stages after it can never be reached")

    def alert(self, raw: Any, path: str) -> Any:
        """A name and perhaps `repeat`, and beside them the keys of a condition."""
        path = _stage_path(path, None, raw)
        if not isinstance(raw, Mapping):
            example = "{name: kl, metric: actor/ppo_kl, above: 0.2}"
            return self.problem(path, f"got {shown(raw)}, expected an alert such as {example}")
        own = ("name", "repeat")
        before = len(self.problems)
        given = {key: raw[key] for key in own if key in raw}
        fields = self.arguments(AlertConfig, given, path, skip=("condition",))
        condition = self.condition({key: value for key, value in raw.items() if key not in own}, path)
        never = None if condition is INVALID else _never_met(condition)
        if never is not None:
            self.problem(path, f"{never}, so this alert can never be raised")
        return AlertConfig(condition=condition, **fields) if len(self.problems) == before else INVALID

    def policy(self, raw: Any, path: str) -> Any:
        if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str):
            return self.problem(path, f"got {shown(raw)}, expected a mapping with a name, such as {{name: mixture}}")
        try:
            policy = find_policy(raw["name"])
        except InputError as error:
            return self.problem(f"{path}.name", str(error))
        given = {key: value for key, value in raw.items() if key != "name"}
        return PolicyConfig(raw["name"], self.arguments(policy, given, path, skip=("pools",)))

    def condition(self, raw: Any, path: str) -> Any:
        if not isinstance(raw, Mapping):
            example = "{metric: train/success_rate, above: 0.7}"
            return self.problem(path, f"got {shown(raw)}, expected a condition such as {example}")
        for key, group in (("any", AnyOf), ("all", AllOf)):
            if key in raw:
                return self._group(raw, path, key, group)
        if isinstance(raw.get("patience"), int):
            raw = {**raw, "patience": {"evals": raw["patience"]}}
        given = [key for key in TESTS if raw.get(key) is not None]
        if len(given) != 1:
            self.problem(path, f"got {' and '.join(given) or 'no test'}, expected exactly one of {', '.join(TESTS)}")
        return self.construct(MetricCondition, raw, path)

    def _group(self, raw: Mapping[str, Any], path: str, key: str, group: type[AnyOf | AllOf]) -> Any:
        members = raw[key]
        before = len(self.problems)
        if len(raw) > 1:
            self.problem(path, f"got {', '.join(map(str, raw))}, expected {key} alone")
        if not isinstance(members, list | tuple) or not members:
            return self.problem(f"{path}.{key}", f"got {shown(members)}, expected a list of conditions")
        read = [self.read(ConditionConfig, member, f"{path}.{key}[{n}]") for n, member in enumerate(members)]
        return group(tuple(read)) if len(self.problems) == before else INVALID

    def check_whole(self) -> None:
        """What no single field can know."""
        for name, dotted in _mapping(self.block, "components").items():
            if name in BUILT_IN_COMPONENTS:
                self.problem(f"{ROOT}.components.{name}", "is a built-in component, expected another name")
            if isinstance(dotted, str) and not all(dotted.partition(":")):
                self.problem(f"{ROOT}.components.{name}", f"got {shown(dotted)}, expected package.module:name")
        self._check_derived(_mapping(self.block, "derived"))
        self._check_telling()
        restores = _mapping(self.block, "rollback").get("restore") == "weights"
        if restores and isinstance(self.block, Mapping) and self.block.get("checkpoint_stages") is False:
            self.problem(
                f"{ROOT}.rollback.restore",
                "got 'weights' with checkpoint_stages: false, which leaves no checkpoint to restore; expected "
                "checkpoint_stages: true, or restore: data",
            )
        if _mapping(self.block, "probation").get("action") == "rollback" and not _has(self.block, "rollback"):
            self.problem(
                f"{ROOT}.probation.action", "got 'rollback' without a rollback block; add one, or replay instead"
            )
        new_mix = _mapping(self.block, "rollback").get("baseline") == "new_mix"
        if new_mix and _mapping(self.block, "advance").get("validate_now") is True:
            self.problem(
                f"{ROOT}.rollback.baseline",
                "got 'new_mix' with advance.validate_now, which compares the same weights on the same mix and can "
                "never roll back; expected 'old_mix', or validate_now: false",
            )

    def _check_telling(self) -> None:
        alerts = self.block.get("alerts") if isinstance(self.block, Mapping) else None
        alerts = alerts if isinstance(alerts, list | tuple) else []
        names = [alert.get("name") if isinstance(alert, Mapping) else None for alert in alerts]
        for number, name in enumerate(names):
            if name is not None and name in names[:number]:
                path = _stage_path(f"{ROOT}.alerts", number, alerts[number])
                self.problem(f"{path}.name", "stands twice, expected a name of its own for every alert")
        webhook = self.block.get("webhook") if isinstance(self.block, Mapping) else None
        if isinstance(webhook, str) and webhook and (problem := web_address_problem(webhook)):
            self.problem(f"{ROOT}.webhook", problem)

    def _check_derived(self, derived: Mapping[str, Any]) -> None:
        names = list(derived)
        for number, (name, text) in enumerate(derived.items()):
            if name.startswith(OWN_METRICS):
                own = ", ".join(OWN_METRICS)
                self.problem(f"{ROOT}.derived.{name}", f"is among the engine's own ({own}), expected another name")
            try:
                used = parse_formula(str(text)).names
            except InputError as error:
                self.problem(f"{ROOT}.derived.{name}", str(error))
                continue
            for later in sorted(used & set(names[number:])):
                self.problem(
                    f"{ROOT}.derived.{name}", f"uses {later!r}, expected only metrics that are derived before it"
                )


def _never_met(condition: ConditionConfig | None) -> str | None:
    """Why a condition can never be met, as far as the engine's own rates tell; None if it can."""
    if isinstance(condition, AnyOf | AllOf):
        reasons = [_never_met(member) for member in condition.members]
        decisive = all(reasons) if isinstance(condition, AnyOf) else any(reasons)
        return next(filter(None, reasons)) if decisive else None
    if condition is None or not condition.metric.endswith(("success_rate", "informative")):
        return None
    if condition.above is not None and condition.above >= 1:
        return f"{condition.metric} is a rate, which is never above {condition.above:g}"
    if condition.at_least is not None and condition.at_least > 1:
        return f"{condition.metric} is a rate, which is never at least {condition.at_least:g}"
    if condition.below is not None and condition.below <= 0:
        return f"{condition.metric} is a rate, which is never below {condition.below:g}"
    return None


def web_address_problem(text: str) -> str | None:
    """Why nothing can be posted there; None if it can. The address is not shown: it may be a secret."""
    try:
        parts = urlsplit(text)
        can = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and text.isprintable()
    except ValueError:  # a port that is no number
        can = False
    if not can:
        return "got a text that is no web address, expected one such as https://host.example/hook"
    if "@" in parts.netloc:
        return (
            f"got an address with a user name or a password before its host {parts.hostname}, which is not posted to, "
            "expected one such as https://host.example/hook; take out all from // to @, and name an address that "
            "needs no login, or holds its secret behind the host as those of chat services do"
        )
    return None


def _mapping(raw: Any, key: str) -> Mapping[str, Any]:
    """What stands under the key, if it is a mapping; if it is not, the reader has said so already."""
    value = raw.get(key) if isinstance(raw, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _has(raw: Any, key: str) -> bool:
    return isinstance(raw, Mapping) and raw.get(key) is not None


def _stage_path(path: str, number: int | None, raw: Any) -> str:
    path = path if number is None else f"{path}[{number}]"
    name = raw.get("name") if isinstance(raw, Mapping) else None
    return f"{path} ({name})" if isinstance(name, str) else path
