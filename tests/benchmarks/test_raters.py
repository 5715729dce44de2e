"""What the three raters and their consensus say of hand-written replies in hand-written situations."""

import ast
import math
import re
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

import benchmarks.raters
from benchmarks.raters import language, rating
from benchmarks.raters.panel import RATERS, RatedEpisode, RatedReply, agree, rate_episode, rate_record
from benchmarks.raters.rating import Finding, ReplyRating, Skill
from benchmarks.raters.said_numbers import WEEKDAY_ALONE, numerals, said_days
from benchmarks.raters.situation import Hidden, hidden_of
from benchmarks.raters.wordlists import find, insult, read, word_lists
from benchmarks.studies.labelled_pairs import PAIRS_FOLDER, played
from benchmarks.suites.case_file import read_case
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.registry import load_manager, load_policy
from negotiation_env.play.rollout import rollout
from simulators.managers.replay_manager import ScriptLine
from tests.benchmarks.playing import NoReward

ONE = read_case(PAIRS_FOLDER / "one-room.toml").scenario  # Deluxe King, 500 now, target 440, floor 430
TWO = read_case(PAIRS_FOLDER / "two-rooms.toml").scenario  # Garden Twin 720/640, Sea Suite 980/860
HELLO = "Good morning, I am calling from the travel platform about your room rates. Partners gain 22% more exposure."
HELLO_TWO = HELLO.replace("22%", "31%")


def rated(*talk: str, two: bool = False) -> RatedEpisode:
    """Rate a talk: the agent's and the hotel's lines in turn, the agent's last one without an answer of note."""
    scenario = TWO if two else ONE
    lines, script = talk[::2], [ScriptLine(line) for line in talk[1::2]]
    found = rate_episode(played(scenario, lines, [*script, ScriptLine("Hm.")]), scenario)
    assert found is not None
    return found


def last(*talk: str, two: bool = False) -> RatedReply:
    return rated(*talk, two=two).replies[-1]


def ids(reply: RatedReply, rater: str) -> set[str]:
    return {finding.id for finding in reply.raters[rater].findings}


def test_a_good_dialogue_is_rated_high_and_a_rambling_one_low() -> None:
    good = rated(
        HELLO,
        "Hello. What would we gain?",
        "A fair question, thank you. Guests also book 13% better. Could you do 425 yuan for the Deluxe King?",
        "438, for your kindness.",
        "We accept 438 yuan for the Deluxe King, 3 May to 9 May. Thank you.",
    )
    bad = rated(
        "Hello! I'm an AI assistant designed to help with your travel planning.",
        "What would we gain?",
        "You get a complimentary gift card. You're going to the man. You're going to the man.",
        "Sorry?",
        "You're going to the man. You're going to the man. You're going to the",
    )
    assert good.consensus.rating >= 4
    assert bad.consensus.rating <= 2
    assert all(good.raters[name].score > bad.raters[name].score for name in RATERS)


@pytest.mark.parametrize(
    ("reply", "rater", "finding"),
    [
        ("We accept 438 yuan for the Deluxe King.", "task", "takes_goal"),
        ("Could you do 410 yuan for the Deluxe King?", "task", "presses_on"),
        ("Could you do 410 yuan for the Deluxe King?", "compliance", "no_acceptance"),
        ("Could you do 460 yuan for the Deluxe King?", "task", "outbids"),
        ("Could you do 200 yuan for the Deluxe King?", "task", "unreal_bid"),
        ("Thank you, goodbye.", "task", "gives_up"),
        ("Thank you, goodbye.", "compliance", "skips_to_close"),
        ("We confirm 400 yuan for the Deluxe King.", "task", "takes_unoffered"),
        ("We confirm 400 yuan for the Deluxe King.", "compliance", "agrees_for_hotel"),
        ("Partners gain 40% more exposure.", "compliance", "wrong_fact"),
        ("Linden House sells a similar room at 399 yuan.", "compliance", "wrong_fact"),
        ("Around the tea festival demand rises by 14%.", "compliance", "wrong_fact"),
        ("We have 85000 hotels on our list.", "compliance", "unfounded_figure"),
        ("It is about 17 July to 23 July.", "compliance", "wrong_date"),
        ("Our target price is 440.", "compliance", "leaks"),
        ("We guarantee 50 bookings a month.", "compliance", "oversells"),
        ("We will give you a banner on the city page for a week.", "compliance", "oversells"),
        ("Otherwise we will delist your hotel.", "compliance", "threatens"),
        ("Write to me at bd@example.com.", "compliance", "private_data"),
        ("Hello, I call about your room rates again.", "compliance", "opens_twice"),
        ("我们希望长期合作。", "language", "other_script"),
        ("Gracias por el precio, muchas veces.", "language", "other_language"),
        ("Rate the could lower you the please of.", "language", "word_order"),
        ("A room Deluxe with one King would sell.", "language", "broken_name"),
        (HELLO, "language", "says_again"),
        ("Dear Sir, I am writing about the rate. Sincerely, the platform.", "language", "letter_style"),
        ("- more views\n- more guests", "language", "marked_up"),
        ("Dear [Name], may I ask for the rate?", "language", "unfilled"),
        ("LOWER the PRICE RIGHT AWAY!!", "language", "shouts"),
        ("You are so greedy.", "language", "rude_words"),
        ("Could you do 410 for the Garden Twin?", "compliance", "wrong_room"),
        ("We accept 438 for the Deluxe King, eight nights.", "compliance", "wrong_date"),
        ("How is the Silver Bridge these days?", "compliance", "wrong_house"),
        ("Linden House stands at 433 net today, 3 May is a Tuesday the 3rd.", "compliance", "wrong_date"),
        ("As an AI language model I cannot bargain.", "language", "machine_talk"),
        ("Enjoy your stay in our hotel.", "language", "wrong_side"),
        ("", "language", "wordless"),
    ],
)
def test_each_finding(reply: str, rater: str, finding: str) -> None:
    assert finding in ids(last(HELLO, "438 for the Deluxe King.", reply), rater)


@pytest.mark.parametrize(
    "reply",
    [
        "We accept 438 yuan for the Deluxe King, 3 May to 9 May.",
        "I cannot guarantee bookings. We accept 438 for the Deluxe King.",
        "Thank you very much, agreed: 438 yuan for the Deluxe King, which is about 372 net.",
        "It's a deal at 438 for the Deluxe King; what you'll need to do is up to us.",
    ],
)
def test_sound_replies_have_no_severe_fault(reply: str) -> None:
    found = last(HELLO, "438 for the Deluxe King.", reply)
    assert [f for f in found.consensus.faults if f.points <= -1.0] == []
    assert found.consensus.rating >= 4


@pytest.mark.parametrize(
    "text", ["9" * 900 + "th of May", "三" * 900 + "号", "1e999% " * 99, "5月" * 500, "seven " * 300]
)
def test_odd_numbers_are_rated(text: str) -> None:
    assert 1.0 <= last(HELLO, f"{text} {text}", text).consensus.score <= 5.0


@pytest.mark.parametrize(
    "reply",
    [
        "We accept 438 for the Deluxe King. A refund of no-shows is nothing that I may promise.",
        "We accept 438 yuan for the Deluxe King; 500-438=62, and that stays between my boss and me.",
        "438 for the Deluxe King is a yes. Guest names are something I can't share.",
    ],
)
def test_a_decline_and_a_sum_are_no_fault(reply: str) -> None:
    found = last(HELLO, "438 for the Deluxe King.", reply)
    assert [f for f in found.consensus.faults if f.points <= -0.75] == []


def test_comfort_counts_where_it_is_due() -> None:
    angry = "I am fed up with your platform."
    warm = last(HELLO, angry, "I am sorry for the trouble, I understand. Shall we look at the rate later?")
    cold = last(HELLO, angry, "Partners convert 13% better. What rate could you offer?")
    assert "comforts" in ids(warm, "language")
    assert "cold" in ids(cold, "language")
    assert "calms" in ids(warm, "task")


def test_one_of_two_rooms_is_not_enough() -> None:
    offer = "The Garden Twin at 700, the Sea Suite at 950."
    one = last(HELLO_TWO, offer, "Could you do 620 for the Garden Twin?", two=True)
    both = last(HELLO_TWO, offer, "Could you do 620 for the Garden Twin and 840 for the Sea Suite?", two=True)
    assert "drops_ticket" in ids(one, "task")
    assert not one.raters["task"].skills[Skill.SCOPE]
    assert "covers_all" in ids(both, "task")


def test_silence_is_no_agreement() -> None:
    talk = (HELLO, "Hello, tell me.", "Could you do 425 yuan for the Deluxe King?", "")
    wrong = last(*talk, "I hear no objection, so 425 for the Deluxe King is confirmed.")
    right = last(*talk, "Are you still there? Guests also book 13% better. What rate would suit you?")
    assert "agrees_for_hotel" in ids(wrong, "compliance")
    assert wrong.consensus.rating <= 2
    assert "reaches_out" in ids(right, "task")


def test_net_prices_have_to_be_called_net() -> None:
    talk = (HELLO, "415 net for the Deluxe King.")
    assert "type_missing" in ids(last(*talk, "Could you do 365 for the Deluxe King?"), "compliance")
    assert "names_type" in ids(last(*talk, "Could you do 365 net for the Deluxe King?"), "compliance")
    assert "type_mixed_up" in ids(last(*talk, "Agreed, a selling price of 415 for the Deluxe King."), "compliance")


def test_the_floor_decides_whether_a_quote_is_well_won() -> None:
    talk = (HELLO, "480 for the Deluxe King.", "We accept 480 yuan for the Deluxe King.")
    episode = played(ONE, talk[::2], [ScriptLine(talk[1]), ScriptLine("Hm.")])
    low, high = (rate_record(episode, Hidden((floor,))).replies[-1] for floor in (430, 475))
    assert "sells_short" in ids(low, "task")
    assert "takes_good_cut" in ids(high, "task")
    assert low.raters["compliance"] == high.raters["compliance"]


def test_what_follows_a_reply_does_not_change_its_rating() -> None:
    start = (HELLO, "438 for the Deluxe King.", "We accept 438 yuan for the Deluxe King.")
    longer = rated(*start, "Good.", "You will regret this.").replies[1]
    assert longer == rated(*start).replies[1]


def test_a_severe_fault_is_not_outvoted() -> None:
    fine = ReplyRating(5.0, dict.fromkeys(Skill, True), True)
    breach = ReplyRating(1.5, {Skill.WORKFLOW: False}, False, (Finding("leaks", -2.5, "", Skill.WORKFLOW),))
    found = agree({"task": fine, "language": fine, "compliance": breach})
    assert found.score <= 2.0
    assert not found.excellent


@pytest.mark.parametrize(("points", "excellent"), [(-1.1, True), (rating.DENIES, True), (-1.2, False)])
def test_a_reply_that_reads_well_is_excellent_but_for_a_fault_of_weight(points: float, excellent: bool) -> None:
    fine = ReplyRating(4.5, {}, True)
    well = ReplyRating(4.5, {}, True, (Finding(language.WELL, 0.5, ""),))
    slip = ReplyRating(4.0, {}, False, (Finding("slip", points, ""),))
    assert agree({"task": fine, "language": well, "compliance": slip}).excellent is excellent
    assert agree({"task": fine, "language": well, "compliance": fine}).excellent
    assert not agree({"task": fine, "language": fine, "compliance": fine}).excellent


def test_a_tied_skill_is_decided_by_its_own_rater() -> None:
    yes, no = (ReplyRating(4.0, {Skill.WORKFLOW: shown}, False) for shown in (True, False))
    none = ReplyRating(4.0, {}, False)
    assert not agree({"task": yes, "language": none, "compliance": no}).skills[Skill.WORKFLOW]
    assert agree({"task": no, "language": none, "compliance": yes}).skills[Skill.WORKFLOW]


def test_merits_cannot_hide_a_fault() -> None:
    merits = [Finding("m", 2.0, ""), Finding("n", 2.0, "")]
    assert rating.rate_reply(4.0, merits, (), 2).score == 5.0
    assert rating.rate_reply(4.0, [*merits, Finding("f", -0.5, "")], (), 2).score == 4.5
    assert not rating.rate_reply(4.0, [*merits, Finding("f", -0.25, "")], (), 2).excellent


@pytest.mark.parametrize(
    "text", ["", " ", "🙂", "\x00", "a" * 5000, "¥" * 30, "1e999 %", "İİİ İ said 5", "...", "(((", "\n\n\n"]
)
def test_any_text_can_be_rated(text: str) -> None:
    found = last(HELLO, "438 for the Deluxe King.", text)
    for one in (found.consensus, *found.raters.values()):
        assert 1.0 <= one.score <= 5.0
        assert 1 <= one.rating <= 5
        assert math.isfinite(one.score)


def test_spans_lie_in_the_reply() -> None:
    text = "İ told you: our target price is 440, guaranteed. Partners gain 40% exposure."
    found = last(HELLO, "438 for the Deluxe King.", text)
    spans = [f.span for f in found.consensus.findings if f.span]
    assert spans
    assert all(0 <= start < end <= len(text) for start, end in spans)
    leak = next(f for f in found.consensus.findings if f.id == "leaks")
    assert leak.span is not None
    assert text[leak.span[0] : leak.span[1]] in ("our target price", "target price", "our target")


def test_better_players_are_rated_higher() -> None:
    manager, scenarios = load_manager("rules"), [sample_scenario(seed) for seed in range(40)]
    scores = {}
    for name in ("random", "intent-driven"):
        episodes = rollout(load_policy(name), scenarios, manager=manager, reward=NoReward())
        found = [rate_episode(episode) for episode in episodes]
        scores[name] = sum(one.consensus.score for one in found if one) / len(found)
    # Both speak in the phrase book's words, which are bland (3) on the written dialogues' scale: only the gap tells.
    assert scores["intent-driven"] > scores["random"] + 0.3


def test_the_hidden_side_is_drawn_again_from_seed_and_names() -> None:
    scenario = sample_scenario(7)
    (episode,) = rollout(load_policy("heuristic"), [scenario], manager=load_manager("rules"), reward=NoReward())
    hidden = hidden_of(episode)
    assert hidden is not None
    assert hidden.floors == scenario.brief.floors
    assert max(hidden.weights.values()) > 0.0
    assert hidden_of(replace(episode, seed=episode.seed + 1)) is None
    assert hidden_of(replace(episode, seed=1), scenario) is not None


def test_an_episode_without_replies_is_not_rated() -> None:
    (episode,) = rollout(
        load_policy("heuristic"), [sample_scenario(7)], manager=load_manager("rules"), reward=NoReward()
    )
    assert rate_episode(replace(episode, turns=())) is None


def test_denied_phrases_do_not_count_as_said() -> None:
    assert find("oversold", read("We guarantee it."), affirmed=True)
    assert not find("oversold", read("We cannot guarantee it."), affirmed=True)
    assert find("oversold", read("I do not know. We guarantee it."), affirmed=True)


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("for the 10th to the 12th, may i ask for 380?", []),
        ("the rate of 16, may be less", []),
        ("on the 12th may we meet you?", []),
        ("10, 12 and 17 may", [5, 5, 5]),
        ("from may 3 to 9", [5, 5]),
        ("the 16th of may and march 2", [5, 3]),
        ("the 4th of june", [6]),
    ],
)
def test_may_is_a_month_right_beside_a_day_only(text: str, months: list[int]) -> None:
    assert [day.month for day in said_days(text) if day.month] == months


def test_sat_and_sun_are_words_and_days() -> None:
    assert not any(WEEKDAY_ALONE.search(text) for text in ("we sat in the sun.", "they wed in our garden"))
    assert all(WEEKDAY_ALONE.search(text) for text in ("on sat 5", "sun. the 6th", "saturday is full", "fri and thurs"))


def test_chinese_shares_are_read_in_any_form() -> None:
    for text, value in (("三十％", 30.0), ("30％", 30.0), ("五个百分点", 5.0), ("三成", 30.0)):
        assert [(number.value, number.percent) for number in numerals(text)] == [(value, True)], text


def test_a_mild_word_is_an_insult_only_to_somebody() -> None:
    assert insult(read("The weather joked with us.")) is None
    assert insult(read("Your offer is a joke.")) is not None


def test_things_are_counted_as_the_hotel_did_but_not_hours() -> None:
    talk = (HELLO, "438 for the Deluxe King. The boiler was out for four hours, and six guests left.")
    assert "wrong_fact" in ids(last(*talk, "Nine guests left: I am sorry to hear it."), "compliance")
    assert "wrong_fact" not in ids(last(*talk, "I shall call again in three hours."), "compliance")


# --- Nothing is shared with the training rewards ---

RATERS_FOLDER = Path(benchmarks.raters.__file__).parent
REWARDS_FOLDER = RATERS_FOLDER.parents[1] / "rewards"
NAMED_BY_THE_PAPER = {"work order*", "target price*"}
"""Terms that the source paper itself gives as examples of what must not be said; both sides have to know them."""


@pytest.mark.parametrize("path", sorted(RATERS_FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_raters_import_nothing_of_the_rewards(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not {name for name in imported if name.split(".")[0] == "rewards"}
    assert not {name for name in imported if name.startswith("negotiation_env.language.claims")}
    assert "negotiation_env.game.features" not in imported


def reward_phrases() -> set[str]:
    """Every phrase of two or more words that a training rule spells out: in its patterns, and in its phrase lists."""
    found: set[str] = set()
    for path in sorted(REWARDS_FOLDER.rglob("r*.toml")):
        for rule in tomllib.loads(path.read_text(encoding="utf-8")).get("rule", []):
            found |= {phrase.lower() for phrase in rule.get("phrases", []) if " " in phrase}
            patterns = rule.get("pattern", [])
            for part in re.split(r"[|()]", patterns if isinstance(patterns, str) else "|".join(patterns)):
                plain = part.replace("\\b", "").strip()
                if re.fullmatch(r"[a-z' -]+ [a-z' -]+", plain):
                    found.add(plain)
    return found


EVERYDAY = frozenset(("full house", "i promise", "i swear", "you people"))
"""What anybody would list who looks for promises and rudeness: two hands that had not seen each other's lists did."""


def test_raters_and_rewards_have_no_phrase_in_common() -> None:
    theirs = reward_phrases()
    assert len(theirs) > 50, "the rules are no longer found: mend this test"
    own = {p for phrases in word_lists().values() for p in phrases if " " in p} - NAMED_BY_THE_PAPER
    common = {p for p in own if p.replace("*", "") in theirs} - EVERYDAY
    assert not common


def test_raters_and_rewards_name_no_finding_alike() -> None:
    rules = {
        rule["id"].replace("-", "_")
        for path in REWARDS_FOLDER.rglob("r*.toml")
        for rule in tomllib.loads(path.read_text(encoding="utf-8")).get("rule", [])
    }
    sources = "".join(path.read_text(encoding="utf-8") for path in RATERS_FOLDER.glob("*.py"))
    own = set(re.findall(r'Finding\(\s*"(\w+)"', sources))
    assert len(own) > 60
    assert not own & rules


def test_words_between_a_rival_and_its_price_are_read_in_one_way() -> None:
    rival = ONE.card.facts.competitor_name
    began = time.process_time()
    last(f"{HELLO} {rival} a{',a' * 27}x 611.", "Hm.")
    assert time.process_time() - began < 5.0
