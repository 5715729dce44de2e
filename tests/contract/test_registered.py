"""Every registered manager, reader, reward, policy and persona passes its conformance kit."""

from __future__ import annotations

import pytest

from negotiation_env.checks import check_manager, check_persona, check_policy, check_reader, check_reward
from negotiation_env.language.encoder_reader import encoder_installed
from negotiation_env.play.registry import (
    MANAGERS,
    POLICIES,
    READERS,
    REWARDS,
    known,
    load_manager,
    load_policy,
    load_reader,
    load_reward,
)
from simulators.personas import all_personas

NEEDS_A_MODEL = {"base", "chat", "dpo", "grpo", "llm", "llm-decides", "ppo", "repo-lm", "sft"}
"""Registered things that load a language model; their rooms' tests check them with a fake or a small one."""
NEEDS_A_FILE = {"replay"}


@pytest.mark.parametrize("name", sorted(set(known(MANAGERS)) - NEEDS_A_MODEL - NEEDS_A_FILE))
def test_managers(name: str) -> None:
    check_manager(load_manager(name))


@pytest.mark.parametrize("name", known(READERS))
def test_readers(name: str) -> None:
    if name == "encoder" and not encoder_installed():
        pytest.skip("the encoder is not installed here")
    check_reader(load_reader(name))


@pytest.mark.parametrize("name", sorted(set(known(POLICIES)) - NEEDS_A_MODEL - {"repo"}))
def test_policies(name: str) -> None:
    check_policy(load_policy({"best-of": "best-of:2:intent-driven"}.get(name, name)))


@pytest.mark.parametrize("name", sorted(set(known(REWARDS)) - NEEDS_A_MODEL))
def test_rewards(name: str) -> None:
    check_reward(load_reward(name))


@pytest.mark.parametrize("name", [persona.name for persona in all_personas()])
def test_personas(name: str) -> None:
    check_persona(name)
