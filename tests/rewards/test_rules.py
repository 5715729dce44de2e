"""The rules: every example in the file, the loader's errors, Unicode, hostile text."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from time import process_time

import numpy as np
import pytest

from benchmarks.studies.rule_labels import FOLDER, HALVES, labelled_replies
from benchmarks.studies.rule_measures import hostile_replies, hostile_views, measure_quality, total
from negotiation_env.errors import DataFileError
from negotiation_env.game.features import FEATURES
from negotiation_env.game.lanes import ARRAYS, FLOATS
from rewards.rules.measures import MEASURES
from rewards.rules.rule_file import hostile_texts, slow_text
from rewards.rules.rule_reward import (
    PATTERN_SECONDS,
    Example,
    Rule,
    RuleReward,
    check_examples,
    example_view,
    load_rules,
)

RULES = RuleReward.shipped()
BY_ID = {rule.id: rule for rule in RULES.rules}


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_every_rule_fires_on_its_examples_only(rule: Rule) -> None:
    assert check_examples([rule]) == []
    assert min(len(rule.yes), len(rule.no)) >= 3, "a rule needs three examples of either kind"


@pytest.mark.parametrize(
    "rule", [r for r in RULES.rules if r.feature and not (r.pattern or r.measure)], ids=lambda rule: rule.id
)
def test_every_feature_rule_fires_on_its_feature_only(rule: Rule) -> None:
    assert rule.feature is not None
    for name in FEATURES:
        features = tuple(1.0 if f == name else 0.0 for f in FEATURES)
        fired = [t.id for t in RULES.score(example_view("Hello.")._replace(features=features)).terms]
        assert (rule.id in fired) == (name == rule.feature)


def test_a_feature_rule_with_a_pattern_asks_for_the_words_too() -> None:
    rule = Rule("claim", -5.0, "minor", "claims", feature="mistaken_claim", pattern="deal", unless="no ")
    features = tuple(float(f == "mistaken_claim") for f in FEATURES)
    for text, points in (("Deal.", -5.0), ("Happy to explain.", 0.0), ("No deal.", 0.0)):
        view = example_view(text)._replace(features=features)
        assert RuleReward([rule]).score(view).points == points
    assert RuleReward([rule]).score_features(FLOATS, features) == -5.0


def test_a_feature_rule_with_a_measure_asks_for_it_too() -> None:
    rule = Rule("claim", -5.0, "minor", "claims", feature="mistaken_claim", measure="phone-numbers", above=0.5)
    features = tuple(float(f == "mistaken_claim") for f in FEATURES)
    for text, points in (("Ring 13812345678.", -5.0), ("Deal.", 0.0)):
        view = example_view(text)
        assert RuleReward([rule]).score(view).points == 0.0
        assert RuleReward([rule]).score(view._replace(features=features)).points == points
    assert RuleReward([rule]).score_features(FLOATS, features) == -5.0


PRESSED = {"manager": ["I could do 350 for the Deluxe King and 560 for the Family Suite."], "rooms": 2}
NET = {"manager": ["I could do 297.50 net."]}


@pytest.mark.parametrize(
    ("example", "presses"),
    [
        (PRESSED | {"text": "The king at 350, fine. Could the Family Suite be 520?"}, False),
        (PRESSED | {"text": "How about 520 for the Family Suite? It is a long stay."}, False),
        (PRESSED | {"text": "So that is 350 for the Deluxe King?"}, False),
        (PRESSED | {"text": "Could the Deluxe King be 340?"}, True),
        (NET | {"text": "297.50 net is 350 on the page. Is that right?"}, False),
        (NET | {"text": "Before I write it: is 297.50 what reaches you?"}, False),
        (NET | {"text": "Could you go down to 280 net?"}, True),
    ],
)
def test_who_bids_on_another_room_or_says_the_figure_again_does_not_press(
    example: Mapping[str, object], presses: bool
) -> None:
    fired = [term.id for term in RULES.score(example_view(example)).terms]
    assert ("press-at-target" in fired) is presses


def test_every_check_of_the_paper_has_a_rule() -> None:
    wanted = {
        "role-label", "markdown", "placeholder", "json", "mixed-language", "chain-of-thought", "absolute-claim",
        "profanity", "internal-term", "target-leak", "stock-phrase", "over-long", "false-figure", "price-type",
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
    [
        "A w\u043e\u200brk order.", "A \uff57ork\u3000order.", "A work\u00adorder.", "WORK ORDER", "work\norder",
        "a w0rk 0rd3r", "a w-o-r-k o-r-d-e-r", "a w o r k   o r d e r", "a wo.rk ord_er", "a \U0001d430\u014drk order",
        "a w\u0336o\u0336r\u0336k\u0336 order",
        "a w\u03bf\u0433k \u1d0f\u0280\u1d05\u1d07\u0280", "a \u24e6\u24de\u24e1\u24da order",
    ],
)  # fmt: skip
def test_spelling_tricks_do_not_hide_a_term(text: str) -> None:
    assert "internal-term" in [t.id for t in RULES.score(example_view(text)).terms]


@pytest.mark.parametrize(
    "text",
    [
        "\u8fd9\u4e2a\u5de5\u5355",
        "\u5de5\u200b\u5355",
        "\u5de5 \u5355",
        "\u5de5*\u5355",
        "\u5de5\u55ae",
        "\u60a8\u7684\u5e95\u4ef7\uff1f",
        "\u76ee\u6a19\u50f9",
    ],
)
def test_chinese_terms_are_seen_too(text: str) -> None:
    view = example_view({"text": text, "manager": ["\u60a8\u597d\u3002"]})
    assert [t.id for t in RULES.score(view).terms] == ["internal-term"]


@pytest.mark.parametrize(
    "text",
    [
        "We can't guarantee bookings.", "It is no guarantee.", "Young guests are our target audience.",
        "Our platform has no price floor.",
        "I would never delist you.", "That was stupid of me.", "Silence is fine, take your time.",
        "We need no personal data.",
        "Would the Deluxe King sell at 380?", "In order to work together we need trust.",
    ],
)  # fmt: skip
def test_the_same_words_may_be_harmless(text: str) -> None:
    assert [t.id for t in RULES.score(example_view(text)).terms] == []


def test_a_rule_may_be_about_replies_to_certain_messages() -> None:
    left = Rule("left", -5.0, "minor", "left open", asked=r"\bwhy\b", unless="because", needs=("why",))
    said = Rule("said", -2.0, "minor", "said", asked=r"\bwhy\b", pattern="no idea")
    rules = RuleReward([left, said])
    for text, manager, points in (
        ("No idea.", ["Tell me WHY?"], -7.0), ("Because of this.", ["Why?"], 0.0), ("No idea.", ["Really?"], 0.0),
        ("No idea.", ["Why?", "Never mind."], 0.0), ("No idea.", [], 0.0),
    ):  # fmt: skip
        assert rules.score(example_view({"text": text, "manager": manager})).points == points


def test_an_exception_counts_only_before_the_match_in_its_clause() -> None:
    rules = RuleReward([Rule("sure", -5.0, "minor", "sure", pattern="we promise", unless=r"\bnever\b")])
    for text, points in (
        ("We never said we promise.", 0.0), ("Never mind: we promise.", -5.0), ("We promise it never rains.", -5.0),
        ("We never said we promise. We promise now.", -5.0),
    ):  # fmt: skip
        assert rules.score(example_view(text)).points == points, text


@pytest.mark.parametrize(
    ("text", "manager", "fired"),
    [
        ("Confirmed: a selling price of 323.", "I could do 323 net.", True),
        ("Confirmed: 323 net.", "I could do 323 net.", False),
        ("Deal, 380 net.", "I could do 380, selling price.", True),
        ("So 323 net, that is 380 for guests.", "I could do 323 net.", False),
        ("Your net price is 400.", "Hello.", True),
        ("Guests pay 340 today.", "Hello.", True),
        ("Could you set a selling price of 340?", "Hello.", False),
        ("Guests pay 400 and you keep 340.", "Hello.", False),
    ],
)
def test_net_and_selling_prices_are_kept_apart(text: str, manager: str, fired: bool) -> None:
    terms = [t.id for t in RULES.score(example_view({"text": text, "manager": [manager]})).terms]
    assert ("price-type" in terms) is fired


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("380 for five nights is 1,900 yuan.", ""), ("380 for five nights is 2,400 yuan.", "false-sum"),
        ("That is 5% less than 400.", ""), ("Conversion rises by 33%.", "false-figure"),
        ("Partners had 900 bookings last month.", "false-figure"), ("You keep 85%.", ""),
        ("At 380 you keep 300.", "false-commission"), ("At 380 you keep 323.", ""), ("Could you do 371?", ""),
        ("Call 13812345678.", ""), ("Half way between 400 and 360 is 380.", ""), ("Room no. 1207, please.", ""),
        ("How about three hundred and eighty yuan?", ""),
        ("More people look, and demand is 10% up.", "false-direction"),
    ],
)  # fmt: skip
def test_a_figure_must_come_from_card_dialogue_or_arithmetic(text: str, rule: str) -> None:
    terms = [t.id for t in RULES.score(example_view(text)).terms if t.id.startswith("false")]
    assert terms == ([rule] if rule else [])


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
    monkeypatch.setattr("rewards.rules.rule_reward.PATTERN_SECONDS", 0.01)
    slow = RuleReward([Rule("slow", -5.0, "minor", "slow", pattern="(?:a+a+)+b")])
    scored = slow.score(example_view("a" * 3000))
    assert scored.points is None
    assert scored.fault is not None
    assert "slow" in scored.fault


def test_a_figure_that_the_manager_said_may_be_said() -> None:
    figure = "You said 360, so 360 it is."
    assert [t.id for t in RULES.score(example_view(figure)).terms] == ["false-quote"]
    told = example_view({"text": figure, "manager": ["I could do 360."]})
    assert RULES.score(told).terms == ()


def test_features_alone_give_floats_and_arrays_the_same_points() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.random((50, len(FEATURES))) < 0.2).astype(float)
    batch = RULES.score_features(ARRAYS, tuple(rows.T))
    assert batch.tolist() == [RULES.score_features(FLOATS, tuple(row)) for row in rows.tolist()]
    assert (batch < 0.0).any()


def test_hostile_replies_are_all_scored() -> None:
    for view in hostile_views(hostile_replies(RULES.rules, 150, seed=1)):
        assert RULES.score(view).points is not None


@pytest.mark.parametrize("rule", [r for r in RULES.rules if r.pattern], ids=lambda rule: rule.id)
def test_no_shipped_pattern_blows_up_on_a_probe(rule: Rule) -> None:
    assert slow_text(rule) is None


@pytest.mark.parametrize("rule", [r for r in RULES.rules if r.pattern], ids=lambda rule: rule.id)
def test_both_engines_find_the_same_on_probes_and_examples_in_time(rule: Rule) -> None:
    limited, free = RuleReward([rule]), RuleReward([rule], tested=True)
    examples = [e.lower() if isinstance(e, str) else str(e["text"]).lower() for e in (*rule.yes, *rule.no)]
    for text in (*hostile_texts(rule), *examples):
        start = process_time()
        found = free._matchers[0].found(text)
        assert process_time() - start < PATTERN_SECONDS
        assert found is limited._matchers[0].found(text)


@pytest.mark.parametrize("pattern", ["(?:a+a+)+b", r"(?:\w+\s?)+:", r"(?:\w+ ?)+\?"])
def test_a_pattern_that_blows_up_is_refused_when_it_is_read(tmp_path: Path, pattern: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(RULE.replace('"hello"', f"'{pattern}'"))
    with pytest.raises(DataFileError, match="rule 'new': pattern: expected at most"):
        RuleReward.from_toml(path)


def test_held_out_labelled_replies_are_well_told_apart() -> None:
    counts = total(
        measure_quality(RULES, (r for i, r in enumerate(labelled_replies("held_out")) if i % 4 == 0)).values()
    )
    assert counts.precision.hits >= 0.95 * counts.precision.total
    assert counts.recall.hits >= 0.95 * counts.recall.total


def test_labelled_replies_follow_from_the_seed_and_their_parts_share_no_bad_template() -> None:
    first, again = (list(labelled_replies("held_out", seed=3)) for _ in range(2))
    assert [r.view.text for r in first] == [r.view.text for r in again]
    assert len(first) >= 600
    parts = []
    for half in HALVES:
        data = tomllib.loads((FOLDER / f"{half}.toml").read_text(encoding="utf-8"))
        parts.append({str(bad) for table in data.values() if isinstance(table, dict) for bad in table["bad"]})
    assert not parts[-1] & set().union(*parts[:-1])


RULE = '[[rule]]\nid = "new"\npoints = -5\nseverity = "minor"\nmessage = "says hello"\npattern = "hello"\n'


def test_a_rule_is_added_without_code(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(RULE)
    scored = RuleReward.from_toml(path).score(example_view("Hello!"))
    assert [(t.id, t.points, t.message) for t in scored.terms] == [("new", -5.0, "says hello")]


def test_points_follow_from_severity_unless_the_file_gives_them(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    for severity, points in (("minor", -15), ("major", -50), ("severe", -100)):
        path.write_text(RULE.replace("points = -5\n", "").replace("minor", severity))
        (rule,) = load_rules(path)
        assert rule.points == points
    assert {r.points for r in RULES.rules} == {-15, -50, -100}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("points = -5", "points = '-5'", r"rule 'new': points: expected a number, got '-5'"),
        ("points = -5", "points = -500", "points: expected a number of at least -100.*, got -500"),
        ("points = -5", "points = true", "points: expected a number, got True"),
        ('severity = "minor"', 'severity = "bad"', "severity: expected 'minor', 'major' or 'severe', got 'bad'"),
        ('pattern = "hello"', 'pattern = "(hello"', "pattern: expected a regular expression"),
        ('pattern = "hello"', 'patern = "hello"', "patern: .*Did you mean 'pattern'"),
        ('pattern = "hello"', 'measure = "word"', "measure: .*Did you mean 'words'"),
        ('pattern = "hello"', 'feature = "rudee"', "feature: .*Did you mean 'rude'"),
        ('pattern = "hello"', 'pattern = "hello"\nmeasure = "words"', "exactly one of"),
        ('pattern = "hello"', 'pattern = ["hello", "(x"]', "pattern: expected a regular expression"),
        ('pattern = "hello"', 'measure = "words"\nunless = "x"', "unless: expected no such field beside measure"),
        ('pattern = "hello"', 'feature = "rude"\nneeds = ["x"]', "needs: expected no such field beside feature"),
        ('pattern = "hello"', 'asked = "hello"', "asked: expected pattern or unless beside it"),
        ('pattern = "hello"', 'asked = "hello"\nfeature = "rude"', "asked: expected pattern or unless beside it"),
        ('pattern = "hello"', 'asked = "x"\nunless = "y"\nneeds = ["a b"]', "needs: expected single words"),
        ('pattern = "hello"', 'pattern = "hello"\nneeds = ["Hello"]', "needs: expected lower-case"),
        ('pattern = "hello"', 'pattern = "hello"\nyes = [3]', r"yes\.1: expected a text, or a table of text.*, got 3"),
        ('message = "says hello"', "", "message: expected this field, got nothing"),
        ("[[rule]]", "[[rule", "readable TOML"),
        ("[[rule]]", "[rule]", r"rule: expected a list, got \{"),
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


TWO = {"manager": ["I could do 370 for the Deluxe King and 560 for the Family Suite."], "rooms": 2}


@pytest.mark.parametrize(
    ("example", "rule"),
    [
        ("Your payout is late? Send me the booking numbers, I'll take them to the review desk myself.", "over-promise"),
        ("Zero commission I cannot give, and whoever offers it should not be trusted.", "over-promise-text"),
        ("First place isn't mine to hand out. A report each week is.", "over-promise-text"),
        ("My last message was wrong: silence is not a yes, nothing is entered.", "silence-as-agreement"),
        ("We leave May as it is, nothing loaded, no badge.", "silence-as-agreement"),
        ("You're no idiot, we should have called you in week one.", "insult"),
        ({"text": "It isn't mine to sign.", "manager": ["Can you guarantee me bookings?"]}, "request-passed-over"),
        ({"text": "Goodbye for now. Or is one of the weeks harder to fill?"}, "close-open"),
        (TWO | {"text": "Could the Family Suite be 540 and the Deluxe King 360?"}, "bid-above-quote"),
        ("It costs you 60 yuan a night, and the guest pays 400.", "bid-absurd"),
        ("You were right, it was me being greedy. You keep 400.", "rude"),
        ("That's not stupid, that's sharp.", "insult"),
        ("You'd better hear it from me: searches are down.", "threat"),
        ("Silence never was a yes, agreed.", "silence-as-agreement"),
        ("No buttons today, I promise.", "over-promise"),
        ("That sofa was on us, and I am sorry.", "over-promise"),
        ("As a first step between us, 390 for the Deluxe King?", "personal-data"),
        ({"text": "Nobody goes into a funnel, sorry.", "manager": ["What funnel?"]}, "internal-jargon"),
        ({"text": "340 is 60 off your old price, and taken.", "manager": ["I could do 340."]}, "press-at-target"),
        ({"text": "Would it show as 350?", "manager": ["I could do 297.50 net."]}, "bid-above-quote"),
    ],
)
def test_what_only_sounds_like_a_breach_is_none(example: Example, rule: str) -> None:
    assert rule not in [term.id for term in RULES.score(example_view(example)).terms]
