"""The optional language-model rater: what is read, what stays unrated, and that the panel does not hear of it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.raters.llm_rater import LlmRater, rate_beside
from benchmarks.raters.rating import Skill
from benchmarks.studies.labelled_pairs import PAIRS_FOLDER, played
from benchmarks.suites.case_file import read_case
from negotiation_env.engines.chat_model import ChatReply, ChatRequest, fault_reply
from negotiation_env.errors import UsageError
from simulators.managers.replay_manager import ScriptLine

ONE = read_case(PAIRS_FOLDER / "one-room.toml").scenario
GOOD = '{"rating": 4, "excellent": false, "fluency": true, "workflow": true, "negotiation": false, "scope": true}'
EPISODE = played(ONE, ["Hello there.", "What rate could you offer?"], [ScriptLine("Yes?"), ScriptLine("Hm.")])


class Canned:
    """An engine that gives prepared answers and keeps the requests."""

    spec = "canned"

    def __init__(self, *answers: ChatReply) -> None:
        self.answers = answers
        self.requests: list[ChatRequest] = []

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        self.requests += requests
        return [self.answers[i % len(self.answers)] for i in range(len(requests))]


def test_a_readable_answer_is_a_rating() -> None:
    engine = Canned(ChatReply(f" {GOOD}\n"))
    ((first, _),) = LlmRater(engine).rate([EPISODE])
    assert (first.rating, first.excellent, first.fault) == (4, False, "")
    assert dict(first.skills)[Skill.NEGOTIATION] is False
    shown = engine.requests[1].messages[-1]["content"]
    assert "Hello there." in shown
    assert shown.index("Message to rate") < shown.index("What rate could you offer?")


@pytest.mark.parametrize(
    "text",
    [
        "", "4", "I would give it a 4.", GOOD + " It is fine.", GOOD.replace("4", "6"), GOOD.replace("4", "4.5"),
        GOOD.replace("true", '"yes"', 1), GOOD.replace('"scope": true', '"other": true'), "[" * 5000, "null",
    ],
)  # fmt: skip
def test_an_unreadable_answer_leaves_the_reply_unrated(text: str) -> None:
    ((first, _),) = LlmRater(Canned(ChatReply(text))).rate([EPISODE])
    assert first.rating is None
    assert first.fault


def test_a_fault_costs_one_reply_only() -> None:
    ((first, second),) = LlmRater(Canned(fault_reply("engine died"), ChatReply(GOOD))).rate([EPISODE])
    assert first.fault == "engine died"
    assert second.rating == 4


def test_too_few_tokens_are_refused() -> None:
    with pytest.raises(UsageError, match="max_tokens"):
        LlmRater(Canned(), max_tokens=5)


def test_nothing_to_rate_asks_nothing() -> None:
    engine = Canned()
    assert LlmRater(engine).rate([]) == []
    assert engine.requests == []


def test_a_run_is_rated_beside_the_panel(tmp_path: Path) -> None:
    out = tmp_path / "llm_ratings.jsonl"
    episodes = [EPISODE, replace(EPISODE, scenario_id="other"), replace(EPISODE, fault="died")]
    found = rate_beside(episodes, Canned(ChatReply(GOOD), ChatReply("no idea")), out)
    (figures,) = found.values()
    assert (figures.rating.value, figures.readable.value) == (4.0, 0.5)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["rating"] for row in rows] == [4, None, 4, None]
    assert rows[1]["fault"]
