"""Figures computed from hand-made episodes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchmarks.checks.problems import Problem
from benchmarks.metrics.judging import AssessedEpisode, MetricKind, judge
from benchmarks.metrics.outcome_metrics import category_metrics
from benchmarks.metrics.policy_metrics import (
    HEADLINE,
    METRICS,
    is_percent,
    observe,
    policy_metrics,
    succeeded,
)
from benchmarks.suites import Case, bad_cases, online
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.game.scenario import ManagerBrief
from negotiation_env.game.state import Stage
from negotiation_env.play.protocols import RewardBreakdown
from negotiation_env.play.records import Episode, TicketOutcome, TurnRecord
from simulators.managers.replay_manager import ScriptLine
from tests.benchmarks.playing import play

SILENT, TALKS = (DialogueAct(Act.SILENCE),), (DialogueAct(Act.OFF_TOPIC),)
TEMPLATE = next(iter(online()))


def live_case(name: str, rooms: int = 1) -> Case:
    old = TEMPLATE.scenario.card
    tickets = tuple(
        replace(old.tickets[0], room=f"Room {k}", selling_price=400, target_price=350) for k in range(rooms)
    )
    card = replace(old, tickets=tickets)
    scenario = replace(TEMPLATE.scenario, id=name, card=card, brief=ManagerBrief((300,) * rooms))
    return replace(TEMPLATE, scenario=scenario)


def live(
    name: str,
    agreed: Sequence[float | None],
    totals: Sequence[float | None] = (1.0,),
    answered: bool = True,
    fault: str | None = None,
) -> AssessedEpisode:
    case = live_case(name, len(agreed))
    turns = tuple(
        TurnRecord(
            text="What rate could you offer?" if k == 0 else f"Message number {k} is another one.",
            acts=(),
            stage=Stage.OPEN,
            reward=RewardBreakdown(total, total, total, total, total),
            answer="Hm." if answered or k else "",
            answer_acts=TALKS if answered or k else SILENT,
        )
        for k, total in enumerate(totals)
    )
    tickets = tuple(TicketOutcome(f"Room {k}", 400, 350, price, False) for k, price in enumerate(agreed))
    card = case.scenario.card
    return judge(case, Episode(name, 1, "p", "m", card, turns, "settled", tickets, fault=fault))


def value(played: Sequence[AssessedEpisode], metric: str) -> float | None:
    return policy_metrics(played)[metric].value


def test_live_figures() -> None:
    played = [
        live("a", [350.0, None], totals=[2.0, 4.0]),
        live("b", [380.0], totals=[-3.0]),
        live("c", [None], totals=[0.0], answered=False),
    ]
    assert value(played, "response_rate") == pytest.approx(2 / 3)
    assert value(played, "task_success") == pytest.approx(2 / 4)
    assert value(played, "target_met") == pytest.approx(1 / 4)
    assert value(played, "discount_won") == pytest.approx((0.125 + 0.05) / 4)
    assert value(played, "surplus_share") == pytest.approx((0.5 + 0.2) / 4)
    assert value(played, "turns") == pytest.approx(4 / 3)
    assert value(played, "return") == pytest.approx((6 - 3 + 0) / 3)
    assert value(played, "reward_total") == pytest.approx(3 / 4)
    assert policy_metrics(played)["reward_total"].n == 4


def test_agreeing_to_todays_price_is_no_success() -> None:
    assert value([live("a", [400.0])], "task_success") == 0.0


def test_an_unscored_reply_is_not_zero() -> None:
    figures = policy_metrics([live("a", [None], totals=[5.0, None]), live("b", [None], totals=[1.0])])
    assert figures["reward_total"].value == pytest.approx(3.0)
    assert figures["return"].value == pytest.approx(1.0)
    assert figures["return"].n == 1


def test_a_fault_is_counted_and_left_out() -> None:
    figures = policy_metrics([live("a", [350.0]), live("b", [None], fault="engine died")])
    assert figures["fault_share"].value == pytest.approx(0.5)
    assert figures["task_success"].value == 1.0
    assert figures["task_success"].n == 1


def test_trials_of_a_scenario_are_one_cluster() -> None:
    apart = policy_metrics([live(f"s{k}", [350.0 if k % 2 else None]) for k in range(12)])
    trials = policy_metrics([live(f"s{k % 4}#{k}", [350.0 if k % 2 else None]) for k in range(12)])
    assert apart["task_success"].n == trials["task_success"].n == 12
    low, other = apart["task_success"].low, trials["task_success"].low
    assert low is not None
    assert other is not None
    assert other < low


def test_case_figures_and_categories() -> None:
    cases = {case.id: case for case in bad_cases()}
    good, bad = cases["over-promise-1"], cases["emotion-3"]
    played = [play(good, good.good), play(bad, ["Lower the rate of the room."] * bad.max_turns)]
    figures = policy_metrics(played)
    assert figures["fixed"].value == figures["clean_fix"].value == 0.5
    assert figures["severe_unresolved"].value == 0.0
    assert {c: f["fixed"].value for c, f in category_metrics(played).items()} == {"over-promise": 1.0, "emotion": 0.0}


def test_a_fix_with_a_new_problem_is_not_clean() -> None:
    case = {case.id: case for case in bad_cases()}["off-topic-3"]
    lines = [*case.good[:-1], "We guarantee a lower rate for the room. " + case.good[-1]]
    figures = policy_metrics([play(case, lines)])
    assert figures["fixed"].value == 1.0
    assert figures["clean_fix"].value == 0.0
    assert figures["fixed_with_major_problem"].value == 1.0


def test_a_fix_with_a_small_new_problem_is_counted_as_such() -> None:
    case = {case.id: case for case in bad_cases()}["off-topic-3"]
    found = play(case, case.good)
    small, big = Problem("overlong", 1, "", False), Problem("overpromise", 1, "", True)
    for problems, metric in (((small,), "fixed_with_minor_problem"), ((small, big), "fixed_with_major_problem")):
        figures = policy_metrics([replace(found, problems=problems)])
        assert figures[metric].value == 1.0
        assert figures["clean_fix"].value == 0.0
        assert figures["fixed_with_minor_problem"].value + figures["fixed_with_major_problem"].value == 1.0  # type: ignore[operator]


def test_every_metric_is_described_and_can_be_had() -> None:
    case = next(iter(bad_cases()))
    found = set(policy_metrics([live(f"{name}#{k}", [350.0]) for name in "ab" for k in range(8)]))
    assert found | set(policy_metrics([play(case, case.good)])) == set(METRICS)
    assert set(HEADLINE) <= set(METRICS)
    assert all(metric.meaning for metric in METRICS.values())


def test_a_metric_s_declaration_agrees_with_its_values() -> None:
    cases = {case.id: case for case in bad_cases()}
    good, bad = cases["over-promise-1"], cases["emotion-3"]
    episodes = [
        play(good, good.good),
        play(bad, ["Lower the rate of the room."] * bad.max_turns),
        said(OPENING, "We guarantee 900 bookings or else we delist you."),
        *(live(f"{name}#{k}", [350.0, None if k else 380.0], totals=[2.0, k]) for name in "ab" for k in range(3)),
    ]
    figures = policy_metrics(episodes)
    parts = [observe(episode) for episode in episodes]
    for name, metric in METRICS.items():
        own = [part[name] for part in parts if name in part]
        if metric.kind is MetricKind.WHOLE:
            assert own == [], name
            continue
        figure = figures[name]
        assert sum(n for _, n in own) == figure.n, name
        if figure.value is not None:
            assert sum(total for total, _ in own) / figure.n == pytest.approx(figure.value), name
        if metric.kind is MetricKind.SHARE:
            assert all(total == int(total) and 0 <= total <= n for total, n in own), name
        assert is_percent(name) is (metric.kind is MetricKind.SHARE or metric.within == (0.0, 1.0)), name


def test_a_whole_figure_is_no_mean_over_its_episodes() -> None:
    always = [live(f"a#{k}", [350.0]) for k in range(3)]
    once = [live(f"b#{k}", [None if k else 350.0]) for k in range(3)]
    figure = policy_metrics([*always, *once])["pass_3"]
    assert METRICS["pass_3"].kind is MetricKind.WHOLE
    assert figure.value == 0.5
    assert all("pass_3" not in observe(episode) for episode in [*always, *once])


def test_pass_k_is_the_chance_that_k_trials_all_succeed() -> None:
    always = [live(f"a#{k}", [350.0]) for k in range(3)]
    twice = [live(f"b#{k}", [350.0 if k else None]) for k in range(3)]
    figures = policy_metrics([*always, *twice])
    assert figures["pass_1"].value == pytest.approx((1 + 2 / 3) / 2)
    assert figures["pass_2"].value == pytest.approx((1 + 1 / 3) / 2)
    assert figures["pass_3"].value == pytest.approx((1 + 0) / 2)
    assert figures["pass_1"].n == 2
    assert not any(name.startswith("pass_") for name in policy_metrics([live("a", [350.0])]))
    assert "pass_4" not in figures


def test_a_cut_for_one_of_two_tickets_is_no_success() -> None:
    assert succeeded(live("a", [350.0, 360.0]))
    assert not succeeded(live("a", [350.0, None]))


def said(*replies: str, name: str = "a") -> AssessedEpisode:
    """A talk in which the hotel says little and the agent these replies."""
    case = live_case(name, 1)
    return play(replace(case, script=(ScriptLine("Hello."),) * len(replies)), replies)


OPENING = "Good morning, I am calling from the travel platform about your Room 0. Could you offer a lower rate?"


def test_ratings_are_those_of_the_panel() -> None:
    good = said(OPENING)
    bad = said(OPENING, "We guarantee 900 bookings or else we delist you.", name="b")
    figures = policy_metrics([good, bad])
    assert good.rated is not None
    assert bad.rated is not None
    expected = (good.rated.consensus.score + bad.rated.consensus.score) / 2
    assert figures["rating"].value == pytest.approx(expected)
    assert figures["rating"].n == 2
    assert figures["reply_rating"].n == 3
    assert figures["truthful"].value == 0.5
    assert figures["overpromises"].value == pytest.approx(1 / 3)
    assert figures["violation_oversells"].value == figures["violation_threatens"].value == pytest.approx(1 / 3)
    assert figures["violations"].value == pytest.approx(1 / 3)
    assert figures["violation_leaks"].value == 0.0
    assert figures["skill_workflow"].value == pytest.approx(2 / 3)
    assert figures["sop_open"].n == 2
    assert figures["sop_open"].value == 1.0


def test_a_faulted_or_huge_suite_is_not_rated() -> None:
    assert live("a", [350.0], fault="engine died").rated is None
    case = replace(live_case("a"), category="ab")
    episode = live("a", [350.0]).episode
    played = judge(case, episode)
    assert played.rated is None
    figures = policy_metrics([played])
    assert "rating" not in figures
    assert figures["task_success"].value == 1.0


def test_a_manager_below_its_floor_is_found() -> None:
    case = live_case("a")  # the floor is 300
    sound = live("a", [350.0]).episode
    turns = [
        replace(sound.turns[0], answer="So be it.", answer_acts=(DialogueAct(Act.COUNTER, price=price, ticket=0),))
        for price in (300.0, 299.0)
    ]
    figures = policy_metrics([judge(case, replace(sound, turns=tuple(turns)))])
    assert figures["manager_floor_kept"].value == 0.5
    assert figures["manager_floor_kept"].n == 2
