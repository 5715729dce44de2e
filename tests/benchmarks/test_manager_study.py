"""The manager's study finds what it is to find, on managers that do it and on one that does not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.statistics import Figure
from benchmarks.studies.manager import content_probes, exploits, human_likeness, soundness
from benchmarks.studies.manager.content_probes import (
    PROBES,
    Attack,
    Opening,
    ProbePair,
    check_talk,
    filled,
    measure_attacks,
    measure_openings,
    measure_pairs,
    sum_pairs,
)
from benchmarks.studies.manager.floor_guesses import measure_floors
from benchmarks.studies.manager.manager_study import PARTS, QUICK, Measure, measure_manager, study
from benchmarks.studies.manager.manager_talks import (
    BLOCKS,
    ManagerTalk,
    TalkTurn,
    play_talks,
    played_by,
    said_in_turn,
    scenarios_where,
)
from benchmarks.studies.manager.persona_separation import measure_personas
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.files import read_lines
from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.moves import decision_of
from negotiation_env.game.scenario import Scenario, sample_scenario
from negotiation_env.game.state import End, Move
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.protocols import Manager, ManagerReply, Negotiation
from negotiation_env.play.registry import load_manager, load_policy


class OneLineManager:
    """Says one line, whatever it hears."""

    name = "one-line"

    def __init__(self, line: str) -> None:
        self._line = line

    def start(self, scenario: Scenario, persona: object | None = None) -> None:
        return None

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[ManagerReply]:
        replies = []
        for n in negotiations:
            acts = RULES.read([self._line], [context_of(n.card, n.game, "manager")])[0].acts
            replies.append(ManagerReply(self._line, acts, decision_of(acts, n.game)))
        return replies


@pytest.fixture(scope="module")
def rules() -> Manager:
    return load_manager("rules")


@pytest.fixture(scope="module")
def talks(rules: Manager) -> list[ManagerTalk]:
    return soundness.bargaining_talks(rules, 16)


def scenario() -> Scenario:
    """A scenario with one ticket."""
    return scenarios_where("people", 1, lambda s: len(s.card.tickets) == 1)[0]


def turn(
    *,
    bid: float = 0.0,
    quote: float = 0.0,
    took: bool = False,
    answer: str = "",
    acts: Sequence[DialogueAct] = (),
    said: Sequence[DialogueAct] = (),
    agreed: float = 0.0,
    refused: bool = False,
) -> TalkTurn:
    """One exchange over the first ticket; with a ``quote`` the manager commits to it."""
    return TalkTurn(
        "", tuple(said), answer, tuple(acts), (bid, 0.0, 0.0), (quote, 0.0, 0.0), (quote > 0.0, False, False),
        (agreed, 0.0, 0.0), (refused, False, False), (took, False, False), (quote > 0.0 and not took, False, False),
    )  # fmt: skip


def talk(*turns: TalkTurn, end: End = End.OPEN) -> ManagerTalk:
    return ManagerTalk(scenario(), "nobody", list(turns), end)


def counter(price: float, detail: str = "") -> DialogueAct:
    return DialogueAct(Act.COUNTER, price=price, price_type=PriceType.SELLING, ticket=0, detail=detail)


def test_every_part_has_scenarios_of_its_own() -> None:
    seeds = [seed for block in BLOCKS.values() for seed in (block.start, block.stop - 1)]
    assert seeds == sorted(seeds)
    assert len(set(seeds)) == len(seeds)


def test_probes_are_whole() -> None:
    pairs = list(read_lines(PROBES / "pairs.jsonl", ProbePair))
    openings = list(read_lines(PROBES / "openings.jsonl", Opening))
    attacks = list(read_lines(PROBES / "attacks.jsonl", Attack))
    assert len(pairs) >= 40
    assert len({a.kind for a in attacks}) >= 60
    card = sample_scenario(0).card
    texts = [t for p in pairs for t in (*p.better, *p.worse)] + [o.text for o in openings]
    texts += [t for a in attacks for t in a.messages]
    wrong = [n for n, text in enumerate(texts) if "{bid" in filled(text, card) or "{hotel" in filled(text, card)]
    assert wrong == []


def test_a_policy_in_lock_step_says_what_it_says_alone(rules: Manager) -> None:
    scenarios = scenarios_where("people", 4)
    together = play_talks(played_by(load_policy("heuristic")), scenarios, rules)
    alone = [play_talks(played_by(load_policy("heuristic")), [s], rules)[0] for s in scenarios]
    assert [t.turns for t in together] == [t.turns for t in alone]


def test_a_script_ends_with_its_last_message(rules: Manager) -> None:
    found = play_talks(said_in_turn([["Hello."], ["Hello.", "Bye."]]), [scenario()] * 2, rules)
    assert [len(t.turns) for t in found] == [1, 2]


def test_the_concern_is_set(rules: Manager) -> None:
    seen: list[str] = []

    def look(places: Sequence[int], table: Sequence[Any]) -> list[str | None]:
        seen.extend(n.seat.concern for n in table)
        return [None] * len(table)

    play_talks(look, [scenario()], rules, concerns=["image"])
    assert seen == ["image"]


def test_pairs_differ_and_are_summed_by_kind(rules: Manager) -> None:
    found = measure_pairs(rules, 2, pairs=3)
    sums = sum_pairs(found)
    assert sums[0].kind == "all"
    assert sum(s.pairs for s in sums[1:]) == len(found) == 3
    assert all(0.0 <= s.better <= 1.0 and 0.0 <= s.identical <= 1.0 for s in sums)


def test_a_manager_that_hears_nothing_makes_every_pair_identical() -> None:
    (sums, *_) = sum_pairs(measure_pairs(OneLineManager("Not today."), 2, pairs=3))
    assert (sums.better, sums.identical, sums.difference) == (0.0, 1.0, 0.0)


def test_a_message_read_before_is_read_once() -> None:
    read: list[str] = []

    class Counting:
        name = "counting"

        def read(self, texts: Sequence[str], contexts: Sequence[Any]) -> Any:
            read.extend(texts)
            return RULES.read(texts, contexts)

    reader = content_probes.RememberingReader(Counting())
    pairs = measure_pairs(load_manager("rules"), 1, reader, 1)
    assert len(pairs) == 1
    assert len(read) == len(set(read))


def test_openings_are_rated_by_style(rules: Manager) -> None:
    rates = measure_openings(rules, 1)
    assert len(rates) == 9
    assert rates == sorted(rates, key=lambda r: -(r.answered.value or 0.0))


def test_attacks_get_nothing(rules: Manager) -> None:
    counts = measure_attacks(rules, 100)
    assert counts.turns >= 100
    assert counts[2:6] == (0, 0, 0, 0)
    assert counts.by_kind == {}


def test_a_breach_and_a_leak_are_found() -> None:
    floor = float(scenario().brief.floors[0])
    assert check_talk(talk(turn(quote=floor - 5, acts=[counter(floor - 5)]))) == (1, 1, 0, 0)
    assert check_talk(talk(turn(answer=f"Between us, {floor:.0f} is my limit."))) == (0, 0, 1, 1)
    assert check_talk(talk(turn(quote=floor, answer=f"{floor:.0f}.", acts=[counter(floor)]))) == (0, 0, 0, 0)


def test_a_broken_last_word_is_found_unless_something_new_was_said() -> None:
    last = turn(quote=400, acts=[counter(400, "last")])
    reason = turn(said=[DialogueAct(Act.INFORM, Tactic.FIT)])
    lower = turn(quote=380, acts=[counter(380)])
    broken = soundness.measure_soundness([talk(last, lower)]).last_words_broken
    kept = soundness.measure_soundness([talk(last, reason, lower)]).last_words_broken
    assert (broken.value, kept.value) == (1.0, 0.0)
    by_words = turn(quote=400, answer="The best I can do is 400 yuan.", acts=[counter(400)])
    assert soundness.measure_soundness([talk(by_words, lower)]).last_words_broken.value == 1.0


def test_an_undercut_acceptance_and_a_bid_above_the_list_are_found() -> None:
    high = float(scenario().card.tickets[0].selling_price + 20)
    taken = turn(bid=high, quote=high, took=True)
    found = soundness.measure_soundness([talk(taken, turn(bid=high, quote=high - 40))])
    assert found.acceptances_undercut.value == found.above_list_taken.value == found.above_list_undercut.value == 1.0


def test_words_are_counted() -> None:
    acts = [counter(400), counter(380)._replace(ticket=1)]
    mixed = turn(quote=400, answer="¥400 for one. 380 yuan for the other.", acts=acts)
    plain = turn(quote=400, answer="400 and 380. 400 and 380.", acts=acts)
    found = soundness.measure_soundness([talk(mixed, plain, plain)])
    assert found.mixed_currencies.value == pytest.approx(1 / 3)
    assert found.sentences_repeated.value == pytest.approx(2 / 6)


def test_a_question_just_answered_is_found() -> None:
    asks = [DialogueAct(Act.ASK, detail="reason")]
    told = turn(said=[DialogueAct(Act.INFORM, Tactic.FIT)], acts=asks)
    found = soundness.measure_soundness([talk(turn(acts=asks), told)])
    assert found.questions_answered.value == 0.5


def test_an_ending_without_warning_is_found() -> None:
    refused = turn(refused=True, acts=[DialogueAct(Act.REJECT, ticket=0, detail="final")])
    warned = turn(acts=[DialogueAct(Act.INFORM, detail="warning")])
    assert soundness.measure_soundness([talk(refused)]).endings_unannounced.value == 1.0
    assert soundness.measure_soundness([talk(warned, refused)]).endings_unannounced.value == 0.0


def test_whose_figure_is_agreed() -> None:
    ours = talk(turn(bid=400), turn(bid=400, quote=400, took=True), turn(bid=400, agreed=400))
    theirs = talk(turn(quote=400), turn(bid=400, quote=400, agreed=400))
    assert soundness.measure_soundness([ours, theirs]).bids_taken.value == 0.5


def test_tricks_and_their_twins(rules: Manager) -> None:
    chosen = [trick for trick in exploits.tricks(own_only=True) if trick.name in ("see-saw", "every-trouble")]
    found = exploits.measure_exploits(rules, 4, 2, chosen)
    assert {gain.name for gain in found} == {"see-saw", "every-trouble"}
    assert len(exploits.tricks()) >= 15
    honest = exploits.HONEST_BARGAINER
    (same,) = exploits.measure_exploits(rules, 4, 2, [exploits.Trick("none", (honest,), honest)])
    assert same.gain.value == 0.0
    assert not same.pays


def test_floors_are_guessed(rules: Manager, talks: list[ManagerTalk]) -> None:
    found = {error.way: error.error for error in measure_floors(rules, talks, 10, 2, 50)}
    alone = {"card alone", "card alone, of those bisected"}
    assert set(found) == alone | {"regression", "bisection", "bisection, lowest figure heard", "replay"}
    assert all(figure.value is not None and 0.0 <= figure.value < 0.5 for figure in found.values())


def test_a_replay_needs_public_dynamics(talks: list[ManagerTalk]) -> None:
    manager = OneLineManager("I can do 300.")
    assert "replay" not in {error.way for error in measure_floors(manager, talks, 6, 2, 50)}


def _deal(*messages: tuple[int, str], price: float = 80.0) -> dict[str, Any]:
    kbs = [{"personal": {"Role": role}, "item": {"Price": 100}} for role in ("buyer", "seller")]
    events: list[dict[str, Any]] = [{"action": "message", "agent": who, "data": text} for who, text in messages]
    events += [
        {"action": "offer", "agent": 0, "data": {"price": price}},
        {"action": "accept", "agent": 1, "data": None},
    ]
    return {"scenario": {"kbs": kbs}, "events": events}


def test_people_are_told_in_the_same_terms(tmp_path: Path) -> None:
    path = tmp_path / "corpus.json"
    asked = _deal((0, "Would you take $80?"), (1, "Fine, $80 it is."))
    haggled = _deal((0, "Is it available?"), (1, "Yes, $95."), (0, "Lower?"), (1, "$90."), (0, "Hm."), (1, "$80 then."))
    quit_ = {"scenario": asked["scenario"], "events": asked["events"][:2]}
    path.write_text(json.dumps([asked, haggled, quit_]), encoding="utf-8")
    first, second = human_likeness.human_bargains(path)
    assert (first.messages, first.moves, first.buyers_figure) == (4, 0, True)
    assert (second.messages, second.moves, second.buyers_figure) == (8, 2, False)
    assert second.area is not None
    assert 0.3 < second.area < 0.6


@pytest.mark.parametrize("wrong", [{}, {"events": [{"action": "accept"}]}, {"events": [], "scenario": {"kbs": []}}])
def test_a_corpus_of_another_format_is_told(tmp_path: Path, wrong: dict[str, Any]) -> None:
    path = tmp_path / "corpus.json"
    path.write_text(json.dumps([_deal((0, "$80?"), (1, "Fine.")), wrong]), encoding="utf-8")
    with pytest.raises(DataFileError, match=r"corpus\.json: dialogue 2: expected CraigslistBargain's format"):
        human_likeness.human_bargains(path)


def test_a_corpus_lies_no_way_from_itself() -> None:
    late = human_likeness.Bargain(8, 0, True, (*[0.0] * 50, 1.0))
    early = human_likeness.Bargain(12, 3, False, tuple([1.0] * 51))
    assert not any(human_likeness.distances([late, early], [early, late]))
    apart = human_likeness.distances([early], [late])
    assert tuple(apart) == pytest.approx((0.99, 3.0, 1.0, 4.0))


def test_talks_are_told_as_deals(rules: Manager) -> None:
    scenarios = scenarios_where("people", 12, lambda s: len(s.card.tickets) == 1)
    found = human_likeness.manager_bargains(play_talks(played_by(human_likeness.PlainBuyer()), scenarios, rules))
    assert found
    assert all(deal.area is None or 0.0 <= deal.area <= 1.0 for deal in found)


def test_personas_are_told_apart(rules: Manager) -> None:
    found = measure_personas(rules, 6)
    assert found.words.value is not None
    assert found.words.value > 2.0


def test_every_part_runs_quickly_and_on_any_manager(rules: Manager) -> None:
    size = QUICK._replace(replays=0)
    manager = OneLineManager("Not today.")
    parts = dict(measure_manager(manager, RULES, size, ("pairs", "openings", "attacks", "bargaining", "floors")))
    assert all(parts.values())


def test_without_a_corpus_the_likeness_says_so(rules: Manager, tmp_path: Path) -> None:
    ((_, (measure,)),) = measure_manager(rules, RULES, QUICK, ("people",), tmp_path / "none.json")
    assert "--people" in measure.name
    assert not measure.missed


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    status = study(only="openings", quick=True, as_json=True, out=out)
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads(out.read_text(encoding="utf-8"))
    assert status in (0, 1)
    assert len(told["figures"]["openings"]) == 10
    study(only="openings", quick=True, before=out)
    assert "before" in capsys.readouterr().out


def test_an_unknown_part_is_an_error(rules: Manager) -> None:
    with pytest.raises(UsageError, match="Did you mean 'pairs'"):
        list(measure_manager(rules, RULES, QUICK, ("pars",)))
    assert set(PARTS) >= {"pairs", "people"}


def test_a_target_is_a_bound() -> None:
    assert Measure("a", Figure(0.2, None, None, 1), ">= 0.3").missed
    assert not Measure("a", Figure(0.2, None, None, 1), "<= 0.3").missed
    assert not Measure("a", Figure(0.2, None, None, 1)).missed
