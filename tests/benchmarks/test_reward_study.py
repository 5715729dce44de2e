"""``negotiate study rewards``: orders, notices and relations of sources whose scores are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli.main import app
from benchmarks.statistics import correlation
from benchmarks.studies.reward_study import SOURCES, headline, measure, misordered, misses, noticed, score_dialogues
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.protocols import ReplyView, RewardBreakdown, RewardTerm
from simulators.people.graded_replies import edited_replies
from simulators.people.written_dialogues import written_dialogues

DIALOGUES = written_dialogues("validation")[:4]
QUALITY = {r.text: r.quality for d in DIALOGUES for t in d.turns for r in t.replies}
FLAWS = {r.text: r.flaws for d in DIALOGUES for t in d.turns for r in t.replies}


class Known:
    """A reward whose numbers are a function of the text; rules fire where they are negative."""

    def __init__(self, model: Callable[[str], float], rules: Callable[[str], float] = lambda text: 0.0) -> None:
        self.model, self.rules = model, rules

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        found = []
        for view in replies:
            model, rules = self.model(view.text), self.rules(view.text)
            terms = (RewardTerm("rules", "a-rule", rules),) if rules else ()
            found.append(RewardBreakdown(model + rules / 100.0, model, 0.0, rules, rules, terms))
        return found

    def score_features(self, lanes: object, features: object) -> RewardBreakdown:
        raise NotImplementedError


def _signed(sign: float, text: str) -> float:
    return sign * QUALITY.get(text, 3)


def test_a_source_that_knows_the_grade_is_right_everywhere_and_one_that_inverts_it_nowhere() -> None:
    for sign, value in ((1.0, 1.0), (-1.0, 0.0)):
        figures, scored = measure(DIALOGUES, Known(partial(_signed, sign)), RULES)
        assert figures["model"]["excellent_flawed"].value == figures["total"]["excellent_flawed"].value == value
        assert figures["judge"]["excellent_flawed"].value == 0.5  # it is silent, and a tie counts half
        assert bool(misordered(scored)) is (value == 0.0)
        assert all(flaw["over"].value == value for flaw in figures["total"]["by_flaw"].values())


def test_each_source_notices_what_it_sees() -> None:
    figures, _ = measure(DIALOGUES, Known(lambda text: 0.0, lambda text: -50.0 if FLAWS.get(text) else 0.0), RULES)
    assert figures["rules"]["by_flaw"]
    for flaw in figures["rules"]["by_flaw"]:
        seen = {source: figures[source]["by_flaw"][flaw]["noticed"].value for source in SOURCES}
        assert seen == {"model": 0.0, "judge": 0.0, "rules": 1.0, "total": 1.0}
    assert figures["rules"]["false_notice"].value == figures["correlations"]["rule_wrong"].value == 0.0
    assert figures["rules"]["fired_on_excellent"] == {}


def test_relations_of_sources() -> None:
    figures, _ = measure(DIALOGUES, Known(lambda text: 0.1 * QUALITY.get(text, 3) - 1.0), RULES)
    found = figures["correlations"]
    assert found["total_with_model"].value == pytest.approx(1.0)
    assert found["model_with_e"].value is None  # E does not vary
    assert found["reordered"].value == 0.0
    assert found["excellent_negative"].value == 1.0
    flips, _ = measure(
        DIALOGUES, Known(lambda text: float(QUALITY.get(text, 3)), lambda t: -200.0 * QUALITY.get(t, 3)), RULES
    )
    assert flips["correlations"]["reordered"].value == 1.0
    assert misses("reordered", found["reordered"])
    assert not misses("reordered", flips["correlations"]["reordered"])
    assert set(headline(figures)) >= {"total excellent_flawed", "model edits", "template_wins"}


def test_a_dimension_of_the_judge_counts_as_noticed_though_the_sum_is_the_same() -> None:
    (turns, *_) = score_dialogues(DIALOGUES, Known(lambda text: 0.0), RULES).values()
    one, other = turns[0][:2]
    terms = [(RewardTerm("judge", "tone", a), RewardTerm("judge", "matter", b)) for a, b in ((9.0, 0.0), (0.0, 9.0))]
    first, second = (
        reply._replace(scored=reply.scored._replace(judge=9.0, terms=own))
        for reply, own in zip((one, other), terms, strict=True)
    )
    assert noticed("judge", second, [first])
    assert not noticed("judge", first, [first])
    assert noticed("judge", second, []) is None


def test_edits_and_templates_are_compared_by_source(tmp_path: Path) -> None:
    path = tmp_path / "edits.jsonl"
    path.write_text(
        json.dumps(
            {"id": "a", "dialogue": DIALOGUES[0].id, "turn": 1, "kind": "nights", "true": "Four nights then?",
             "false": "Six nights then?", "changed": "Four -> Six"}
        )
    )  # fmt: skip
    edits = edited_replies(path, DIALOGUES)
    reward = Known(lambda text: float(text in QUALITY), lambda text: -9.0 if "Six" in text else 0.0)
    figures, _ = measure(DIALOGUES, reward, RULES, edits)
    assert {source: figures[source]["edits"]["all"].value for source in SOURCES} == {
        "model": 0.5, "judge": 0.5, "rules": 1.0, "total": 1.0,
    }  # fmt: skip
    assert figures["model"]["template_wins"].value == 0.0
    assert figures["model"]["template_wins"].n > 5


def test_the_command_prints_one_object_without_a_word_of_the_texts() -> None:
    words = ["validation", "--dialogues", "2", "--reader", "rules"]
    found = CliRunner().invoke(app, ["study", "rewards", *words, "--json"])
    record = json.loads(found.stdout)
    assert found.exit_code == 1  # two dialogues reach no target
    assert set(record["total"]["excellent_flawed"]) == {"value", "low", "high", "n"}
    assert {"model", "judge", "rules", "total", "correlations"} <= set(record)
    table = CliRunner().invoke(app, ["study", "rewards", *words]).stdout
    assert "excellent_flawed" in table
    said = found.stdout + table
    assert not any(turn.agent in said for d in written_dialogues("validation")[:2] for turn in d.turns)


def test_a_correlation_has_an_interval_over_clusters() -> None:
    clusters = [[(float(i), 2.0 * i + (-1.0) ** i), (float(i), 2.0 * i)] for i in range(12)]
    found = correlation(clusters)
    assert found.n == 24
    assert found.low is not None and found.value is not None and found.high is not None
    assert 0.9 < found.low <= found.value <= found.high <= 1.0
    assert correlation([[(1.0, 2.0), (1.0, 3.0)], [(1.0, 4.0)]]).value is None
    assert correlation([]).n == 0
