"""Opens reward sources by name, and REPO's reward from one line: "repo:model=small,judge=smollm2,n=25".

Imports no machine-learning library until a source that needs one is asked for.
"""

from __future__ import annotations

from pathlib import Path

from negotiation_env.engines import EngineSpecError, load_engine
from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.training import optional_module
from rewards.judge.distilled_judge import SHIPPED, DistilledJudge
from rewards.judge.llm_judge import LlmJudge
from rewards.judge.rubric import Rubric
from rewards.model.encoder_model import EncoderRewardModel
from rewards.model.ngram_model import NgramRewardModel
from rewards.model.reference import FILE
from rewards.repo import SETTINGS, Composition, RepoReward
from rewards.rules.rule_reward import RuleReward
from rewards.sources import Judge, RewardModel

_SOURCES = ("model", "judge", "rules", "rubric")


def load_repo(spec: str = "") -> RepoReward:
    """Return REPO's reward from "key=value" settings by comma; "" is the default.

    Keys: ``model`` and ``judge`` (see ``load_model`` and ``load_judge``), ``rules`` and ``rubric`` (paths of TOML
    files), and those of ``Composition.parse``: ``formula``, ``n``, ``without``, ``zero``.

    Raises:
        UsageError: on an unknown key or name.
        DataFileError: where a file is wrong.
    """
    given: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in spec.split(","))):
        key, _, value = part.partition("=")
        if key not in _SOURCES + SETTINGS or key in given or not value:
            hint = did_you_mean(key, _SOURCES + SETTINGS)
            raise UsageError(f"reward: expected key=value, each key once, got {part!r}.{hint}")
        given[key] = value
    composition = Composition.parse(",".join(f"{key}={given[key]}" for key in SETTINGS if key in given))
    rubric = Path(given["rubric"]) if "rubric" in given else None
    return RepoReward(
        load_model(given.get("model", "ngram")),
        load_judge(given.get("judge", "distilled"), rubric),
        RuleReward.from_toml(given.get("rules")),
        composition,
    )


def repo_lm() -> RepoReward:
    """Return REPO's reward with the shipped adapter as its reward model: the reward named "repo-lm"."""
    return load_repo("model=small")


def load_model(spec: str) -> RewardModel:
    """Return a reward model.

    "ngram", "encoder" (on MiniLM) and "small" (a LoRA adapter on SmolLM2) are shipped; else the path of an .npz file of
    n-gram weights, of an encoder's folder, or of an adapter's.
    """
    if spec == "ngram":
        return NgramRewardModel.shipped()
    if spec.endswith(".npz"):
        return NgramRewardModel.from_file(spec)
    if spec == "small" or (Path(spec) / "adapter_config.json").is_file():
        kind = optional_module("rewards.model.adapter_model", "llm").AdapterRewardModel
        model: RewardModel = kind.shipped() if spec == "small" else kind.from_folder(spec)
        return model
    if spec == "encoder" or (Path(spec) / FILE).is_file():
        return EncoderRewardModel.shipped() if spec == "encoder" else EncoderRewardModel.from_folder(spec)
    raise UsageError(
        "reward model: expected 'ngram', 'encoder', 'small', an .npz file, or the folder of an encoder or an adapter, "
        f"got {spec!r}.{did_you_mean(spec, ('ngram', 'encoder', 'small'))}"
    )


def load_judge(spec: str, rubric: Path | None = None) -> Judge:
    """Return a judge.

    "distilled" is shipped; else the path of an .npz file of its kind of weights, or an engine spec that is asked the
    rubric. Trained weights have learnt the shipped rubric's questions, and take other points for them.

    Raises:
        UsageError: where the spec is none of these.
    """
    own = None if rubric is None else Rubric.from_toml(rubric)
    if spec == "distilled" and own is None:
        return DistilledJudge.shipped()
    if spec == "distilled" or spec.endswith(".npz"):
        return DistilledJudge.from_file(SHIPPED if spec == "distilled" else spec, own)
    try:
        engine = load_engine(spec)
    except EngineSpecError as error:
        raise UsageError(
            "judge: expected 'distilled', an .npz file or an engine spec, "
            f"got {spec!r}.{did_you_mean(spec, ('distilled',))} As an engine: {error}"
        ) from error
    return LlmJudge(engine, own)
