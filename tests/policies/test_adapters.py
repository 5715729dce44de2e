import shutil
from pathlib import Path

import pytest

from negotiation_env.errors import UsageError
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.agent_prompts import PROMPTS
from negotiation_env.play.exchange import open_negotiation
from negotiation_env.play.registry import load_manager, load_policy
from negotiation_env.play.rollout import agent_view
from policies import adapters
from policies.chat import ChatPolicy


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("sft-tiny", "sft-small", "dpo-tiny"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(adapters, "ARTIFACTS", tmp_path)
    return tmp_path


def test_no_argument_means_the_best_scale_of_all_methods(artifacts: Path) -> None:
    assert adapters.adapter_folder("sft") == artifacts / "sft-small"
    for method in ("ppo", "grpo", "repo"):
        shutil.copytree(artifacts / "dpo-tiny", artifacts / f"{method}-tiny")
    assert adapters.adapter_folder("sft") == artifacts / "sft-tiny"
    for method in ("dpo", "ppo", "grpo", "repo"):
        shutil.copytree(artifacts / "sft-small", artifacts / f"{method}-small")
    assert adapters.adapter_folder("sft") == artifacts / "sft-small"
    shutil.rmtree(artifacts / "repo-small")
    assert {adapters.adapter_folder(method).name for method in adapters.METHODS} == {
        f"{method}-tiny" for method in adapters.METHODS
    }


def test_a_scale_or_a_folder_can_be_named(artifacts: Path, tmp_path: Path) -> None:
    assert adapters.adapter_folder("sft", "tiny") == artifacts / "sft-tiny"
    own = tmp_path / "dpo-tiny"
    assert adapters.adapter_folder("sft", str(own)) == own
    assert adapters.start_folder("dpo-tiny") == own
    assert adapters.start_folder(str(own)) == own


def test_an_adapter_speaks_as_long_as_its_run_let_it(artifacts: Path) -> None:
    shipped = Path(adapters.__file__).with_name("artifacts") / "sft-tiny"
    assert adapters.trained_with(shipped) == ("compact", PROMPTS["compact"].max_tokens)
    folder = artifacts / "sft-tiny"
    (folder / "run.json").write_text('{"method": "sft", "max_reply_tokens": 512}', encoding="utf-8")
    assert adapters.trained_with(folder) == ("compact", 512)
    (folder / "run.json").write_text('{"prompt": "transcript", "max_reply_tokens": 96}', encoding="utf-8")
    assert adapters.trained_with(folder) == ("transcript", 96)


@pytest.mark.parametrize("which", ["small", "nowhere"])
def test_what_is_not_there_is_a_usage_error(artifacts: Path, which: str) -> None:
    with pytest.raises(UsageError, match=r"dpo: expected a shipped scale \(tiny\)"):
        adapters.adapter_folder("dpo", which)
    with pytest.raises(UsageError, match="dpo-tiny, sft-small, sft-tiny"):
        adapters.start_folder(which)


@pytest.mark.parametrize("method", ["sft", "dpo", "ppo", "grpo", "repo"])
def test_the_shipped_tiny_adapters_speak(method: str) -> None:
    pytest.importorskip("peft")
    policy = load_policy(f"{method}:tiny")
    assert isinstance(policy, ChatPolicy) and (policy.max_tokens, policy.cut) == (64, "speak")
    views = [agent_view(open_negotiation(sample_scenario(seed), load_manager("rules"))) for seed in (11, 12)]
    replies = policy.reply(views)
    assert all(reply.text and reply.fault is None for reply in replies)
    assert policy.reply(views) == replies
