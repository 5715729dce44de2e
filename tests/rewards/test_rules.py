"""The rules: every example in the file, the loader's errors, Unicode, hostile text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from negotiation_env.errors import DataFileError
from negotiation_env.features import FEATURES
from negotiation_env.lanes import ARRAYS, FLOATS
from rewards.examples import check_examples, example_view
from rewards.measures import MEASURES
from rewards.rules import Rule, RuleReward, load_rules

RULES = RuleReward.shipped()
BY_ID = {rule.id: rule for rule in RULES.rules}


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_every_rule_fires_on_its_examples_only(rule: Rule) -> None:
    assert check_examples([rule]) == []
    assert rule.feature or (rule.yes and rule.no), "a rule on text needs examples of both kinds"


@pytest.mark.parametrize("rule", [r for r in RULES.rules if r.feature], ids=lambda rule: rule.id)
def test_every_feature_rule_fires_on_its_feature_only(rule: Rule) -> None:
    assert rule.feature is not None
    for name in FEATURES:
        features = tuple(1.0 if f == name else 0.0 for f in FEATURES)
        fired = [t.id for t in RULES.score(example_view("Hello.")._replace(features=features)).terms]
        assert (rule.id in fired) == (name == rule.feature)


def test_every_check_of_the_paper_has_a_rule() -> None:
    wanted = {
        "role-label", "markdown", "placeholder", "json", "mixed-language", "chain-of-thought", "absolute-claim",
        "profanity", "internal-term", "target-leak", "stock-phrase", "over-long", "figure", "price-type",
        "over-promise", "false-fact", "threat", "insult", "personal-data", "silence-as-agreement",
    }  # fmt: skip
    assert wanted <= BY_ID.keys()
    assert {r.measure for r in RULES.rules if r.measure} == MEASURES.keys()


def test_an_honest_reply_breaks_no_rule() -> None:
    for text in (
        "Hello, this is the travel agency. Partners gain 20% more exposure; could you lower the rate a little?",
        "I understand, and I am sorry for the trouble. Would 375 yuan for the Deluxe King be possible?",
        "Could you keep 320 net per night?",
    ):
        assert RULES.score(example_view(text)).points == 0.0, text


def test_rules_of_one_group_count_once_at_the_worst() -> None:
    rules = RuleReward(
        [
            Rule("a", -5.0, "minor", "a", group="g", pattern="x"),
            Rule("b", -9.0, "minor", "b", group="g", pattern="x"),
            Rule("c", -2.0, "minor", "c", pattern="x"),
        ]
    )
    scored = rules.score(example_view("x"))
    assert scored.points == -11.0
    assert [t.id for t in scored.terms] == ["b", "c"]


@pytest.mark.parametrize(
    "text",
    ["A w\u043e\u200brk order.", "A \uff57ork\u3000order.", "A work\u00adorder.", "WORK ORDER", "work\norder"],
)
def test_spelling_tricks_do_not_hide_a_term(text: str) -> None:
    assert "internal-term" in [t.id for t in RULES.score(example_view(text)).terms]


@pytest.mark.parametrize(
    "text",
    ["a" * 50_000, "no answer " * 3000, "{ " * 5000, "<" * 9000, "your " * 5000, "1" * 9000, "-*- \n" * 3000,
     "@." * 900, "guarantee " * 900, "\u202e\u200b" * 4000, "\x00" * 3000, "your page " * 900,
     "since you haven't " * 400],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_hostile_text_is_scored(text: str) -> None:
    assert RULES.score(example_view(text)).points is not None


def test_a_pattern_out_of_time_is_a_fault_and_no_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewards.rules.PATTERN_SECONDS", 0.01)
    slow = RuleReward([Rule("slow", -5.0, "minor", "slow", pattern="(?:a+a+)+b")])
    scored = slow.score(example_view("a" * 3000))
    assert scored.points is None
    assert scored.fault is not None
    assert "slow" in scored.fault


def test_a_figure_that_the_manager_said_may_be_said() -> None:
    figure = "No, 120 is not what we meant."
    assert [t.id for t in RULES.score(example_view(figure)).terms] == ["figure"]
    told = example_view({"text": figure, "manager": ["Do you want it for 120?"]})
    assert RULES.score(told).terms == ()


def test_features_alone_give_floats_and_arrays_the_same_points() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.random((50, len(FEATURES))) < 0.2).astype(float)
    batch = RULES.score_features(ARRAYS, tuple(rows.T))
    assert batch.tolist() == [RULES.score_features(FLOATS, tuple(row)) for row in rows.tolist()]
    assert (batch < 0.0).any()


RULE = '[[rule]]\nid = "new"\npoints = -5\nseverity = "minor"\nmessage = "says hello"\npattern = "hello"\n'


def test_a_rule_is_added_without_code(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(RULE)
    scored = RuleReward.from_toml(path).score(example_view("Hello!"))
    assert [(t.id, t.points, t.message) for t in scored.terms] == [("new", -5.0, "says hello")]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("points = -5", "points = '-5'", r"rule 'new': points: expected a number from -100 to 100, got '-5'"),
        ("points = -5", "points = -500", "points"),
        ("points = -5", "points = true", "points"),
        ('severity = "minor"', 'severity = "bad"', "severity: expected one of minor"),
        ('pattern = "hello"', 'pattern = "(hello"', "pattern: expected a regular expression"),
        ('pattern = "hello"', 'patern = "hello"', "patern: .*Did you mean 'pattern'"),
        ('pattern = "hello"', 'measure = "word"', "measure: .*Did you mean 'words'"),
        ('pattern = "hello"', 'feature = "rudee"', "feature: .*Did you mean 'rude'"),
        ('pattern = "hello"', 'pattern = "hello"\nfeature = "rude"', "exactly one of"),
        ('pattern = "hello"', 'pattern = "hello"\nneeds = ["Hello"]', "needs: expected lower-case"),
        ('pattern = "hello"', 'pattern = "hello"\nyes = [3]', "yes: expected texts"),
        ('message = "says hello"', "", "message: expected a text, got None"),
        ("[[rule]]", "[[rule", "readable TOML"),
        ("[[rule]]", "[rule]", r"at least one \[\[rule\]\]"),
        (RULE, RULE + RULE, "id: expected a name that no other rule has"),
    ],
)
def test_a_wrong_file_is_named_with_rule_and_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(RULE.replace(old, new))
    with pytest.raises(DataFileError, match=message) as caught:
        load_rules(path)
    assert str(path) in str(caught.value)


def test_terms_never_name_a_target() -> None:
    scored = RULES.score(example_view("Our target is 352."))
    assert scored.terms
    assert not any("352" in t.message for t in scored.terms)
