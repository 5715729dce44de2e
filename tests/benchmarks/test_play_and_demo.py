"""What a person sees who plays, or watches the demo; and what the shell completes."""

from __future__ import annotations

import inspect
import io
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.cli import completion, demo, play
from benchmarks.cli.main import app
from benchmarks.metrics.judging import judge
from benchmarks.suites import CATEGORIES, bad_cases
from negotiation_env.errors import UsageError
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play import registry
from negotiation_env.play.records import read_episodes
from negotiation_env.play.rollout import answered_first, rollout
from rewards.repo import RepoReward
from tests.benchmarks.playing import FixedReplies, ScoredByLength

PICTURES = Path(os.environ.get("NEGOTIATION_SCREENSHOTS", "")).resolve()
_FORMAT = inspect.signature(Console.export_svg).parameters["code_format"].default
WITHOUT_FONTS = re.sub(r"@font-face \{\{.*?\}\}", "", _FORMAT, flags=re.DOTALL)
"""Rich's picture of a terminal in the fonts of who looks at it: nothing is loaded from elsewhere."""


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def invoke(*arguments: str, text: str = "") -> Any:
    return CliRunner().invoke(app, list(arguments), input=text)


def played(*lines: str, seed: int = 3, options: tuple[str, ...] = ()) -> str:
    """What ``play`` prints for some lines."""
    words = ("play", "--seed", str(seed), "--reader", "rules", *options)
    result = invoke(*words, text="".join(f"{line}\n" for line in lines))
    assert result.exit_code == 0, result.output
    return str(result.output)


def negotiation(seed: int, console: Console) -> play.LiveNegotiation:
    return play.LiveNegotiation(sample_scenario(seed), registry.load_manager("rules"), ScoredByLength(), RULES, console)


def plain() -> Console:
    return Console(file=io.StringIO(), width=160)


def test_play_takes_piped_lines_hints_and_the_end_of_input() -> None:
    text = "Good morning, I am calling about your room rates.\n/hint\n\nWhat rate could you offer?\n"
    result = invoke("play", "--seed", "3", text=text)
    assert result.exit_code == 0, result.output
    assert "task card" in result.output
    assert "Stage: reason" in result.output
    assert "reward" in result.output
    assert result.output.count("─ manager") == 2
    assert "Ended: cut off" in result.output


def test_a_talk_makes_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(record=True, file=io.StringIO(), width=110)
    monkeypatch.setattr(play, "Console", lambda: console)
    lines = (
        "Good afternoon, Lina from the platform, for the Golden Phoenix. Searches for Zhuhai are down 20% around the "
        "autumn trade fair, and a small house feels that first. How are the weeks from the 29th of November looking?",
        "The laundry bill eats what the room earns, I hear that from every guesthouse. A banner on the city page costs "
        "you nothing; with it, could the deluxe king come to 295?",
        "Then let us meet at 304, banner included?",
        "304 for the deluxe king, then. The banner goes up on the 29th, and I thank you.",
    )
    words = ("play", "--seed", "16", "--reader", "rules", "--show-reading")
    assert invoke(*words, text="".join(f"{line}\n" for line in lines)).exit_code == 0
    picture = console.export_svg(title=f"negotiate {' '.join(words)}", code_format=WITHOUT_FONTS)
    said = re.sub(r"<[^>]*>|&#160;|│", " ", picture)
    assert "Ended: settled" in " ".join(said.split()) and picture.count("understood:") == 8
    if "NEGOTIATION_SCREENSHOTS" in os.environ:
        (PICTURES / "play.svg").write_text(picture, encoding="utf-8")


def test_play_quits() -> None:
    result = invoke("play", text="/quit\nHello\n")
    assert result.exit_code == 0
    assert "─ manager" not in result.output


def test_play_shows_readings_on_request_and_says_who_reads() -> None:
    text = "Hello there.\n/reading\nHello again.\n/reading\nHello.\n/quit\n"
    result = invoke("play", "--seed", "3", "--reader", "rules", text=text)
    assert result.exit_code == 0, result.output
    assert "read by: rules" in result.output
    assert result.output.count("understood: greets") >= 1
    assert "Readings are shown" in result.output and "Readings are hidden" in result.output
    shown = result.output.count("understood: ")
    assert shown == 2
    always = invoke("play", "--seed", "3", "--reader", "rules", "--show-reading", text="Hello there.\n/quit\n")
    assert always.output.count("understood: ") == 2


def test_the_rooms_are_told_after_every_message() -> None:
    shown = [line for line in played("Hello there.", "Would 300 yuan work for you?").splitlines() if "rooms:" in line]
    assert len(shown) == 3
    assert "quote 391, as before, no bid, goal 363" in shown[0]
    assert ", bid 300, goal 363" in shown[-1]


def test_prices_are_green_where_lower_and_red_where_higher() -> None:
    told = {(str(text), str(text.style)) for text in (play.change(p, 391) for p in (363.0, 391.0, 400.0))}
    assert told == {("363 (-28)", "green"), ("391 (+0)", ""), ("400 (+9)", "red")}


def test_a_terminal_shows_that_the_hotel_thinks() -> None:
    console = Console(file=io.StringIO(), width=160, force_terminal=True)
    negotiation(3, console).say("Hello there.")
    assert "the hotel thinks" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "the hotel thinks" not in played("Hello there."), "expected no sign where nobody watches"


def test_what_rewards_are_made_of_is_shown_on_request() -> None:
    assert "sop-compliance" not in played("Hello there.")
    shown = played("Hello there.", "/reward", "Hello again.", "/reward", "Hello.")
    assert shown.count("sop-compliance") == 1 and "hidden from now on" in shown
    assert played("Hello there.", options=("--show-reward",)).count("sop-compliance") == 1


def test_help_lists_every_command_and_a_wrong_one_is_told() -> None:
    shown = played("/help", "/undp", "/card")
    assert all(f"  {name} " in shown for name in play.COMMANDS)
    assert "There is no /undp. Did you mean '/undo'?" in shown
    assert "─ manager" not in shown, "expected a command not to be said to the hotel"
    assert shown.count("task card ─") == 2


def test_undo_goes_back_to_before_the_message() -> None:
    console = plain()
    game, other = negotiation(5, console), negotiation(5, console)
    first = ("Good morning, I am calling about your room rates.", "Partners gain more views. What could you offer?")
    for line in (*first, "You are a greedy liar!"):
        game.say(line)
    assert game.undo()
    game.say("Thank you. Could you do a little better?")
    for line in (*first, "Thank you. Could you do a little better?"):
        other.say(line)
    assert game.record("person").to_json() == other.record("person").to_json()
    while game.undo():
        pass
    assert game.turns == [] and game.negotiation.agent_said == [] and int(game.negotiation.game.turn) == 0
    assert "nothing to take back" in played("/undo")


def test_a_talk_that_has_ended_can_be_taken_back() -> None:
    shown = played("Hello there.", "Hello?", "/undo", "/quit", options=("--max-turns", "1"))
    assert "It has ended" in shown and "Back before turn 1." in shown
    assert shown.count("Ended: ") == 2
    assert shown.count("─ manager") == 1


def test_a_talk_is_saved_as_an_episode(tmp_path: Path) -> None:
    shown = played("/save", "Hello there.", "/save", "/save talk.jsonl", "/save talk.jsonl", "What rate?", "/save")
    assert "Not saved: expected a talk to save" in shown
    assert "Not saved: expected a new file, got talk.jsonl" in shown
    first, second = (list(read_episodes(tmp_path / f"out/play/seed-3{end}.jsonl")) for end in ("", "-2"))
    assert [len(episode.turns) for episode in (*first, *second)] == [1, 2]
    (episode,) = read_episodes(tmp_path / "talk.jsonl")
    assert (episode.policy, episode.end, episode.turns[0].text) == ("person", "truncated", "Hello there.")
    with pytest.raises(UsageError, match="name another"):
        play.save(episode, tmp_path / "talk.jsonl", 3)


def test_a_saved_talk_is_the_record_that_a_rollout_makes() -> None:
    lines = ["Good morning, I am calling about your room rates.", "Would 300 yuan work for you?"]
    game = negotiation(3, plain())
    for line in lines:
        game.say(line)
    (episode,) = rollout(
        FixedReplies(lines), [sample_scenario(3)], manager=registry.load_manager("rules"), reward=ScoredByLength(),
        max_turns=2,
    )  # fmt: skip
    assert game.record("fixed").to_json() == episode.to_json()


def test_the_demo_keeps_every_category() -> None:
    bad, live = demo.demo_suites()
    assert {case.category for case in bad} == set(CATEGORIES)
    assert len(bad) == len(CATEGORIES)
    assert len(live) < len(demo.demo_suites(every=True)[1])


def test_the_good_negotiation_is_answered_and_wins_a_cut_and_is_explained() -> None:
    (episode,) = rollout(
        registry.load_policy(demo.LIVE_POLICY),
        [demo.live_scenario()],
        manager=registry.load_manager("rules"),
        reward=ScoredByLength(),
        max_turns=demo.LIVE_TURNS,
    )
    assert answered_first(episode)
    assert all(demo.cut_won(ticket) > 0.2 for ticket in episode.tickets)
    lines = demo.what_went_well(episode)
    assert all("less than before and" in line for line in lines[: len(episode.tickets)])
    assert "The hotel moved most in turn" in lines[-2] and "earned most" in lines[-1]


def test_where_nothing_was_won_the_demo_says_so() -> None:
    game = negotiation(3, plain())
    game.say("Hello there.")
    assert "nothing was agreed" in demo.what_went_well(game.record("person"))[0]


def test_the_failing_negotiation_fails_and_says_by_which_check() -> None:
    console = plain()
    assessed = demo.show_failing(console)
    assert not assessed.fixed and assessed.case.severity == "severe"
    shown = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "Why it fails" in shown and assessed.case.fails in shown
    for check in assessed.checks:
        assert (f"The check {check.kind.replace('_', ' ')} fails" in shown) is not check.passed
    assert "cost most: R_total" in shown and "Good in turn" in shown
    assert [turn.text for turn in assessed.episode.turns] == list(assessed.case.bad)


@pytest.mark.parametrize("case", [case for case in bad_cases() if case.id.endswith("-2")], ids=lambda case: case.id)
def test_every_failure_can_be_explained(case: Any) -> None:
    (episode,) = rollout(
        FixedReplies(case.bad), [case.scenario], manager=demo_hotel(case), reward=ScoredByLength(),
        max_turns=len(case.bad),
    )  # fmt: skip
    assert len(demo.why_it_fails(judge(case, episode))) >= 2


def demo_hotel(case: Any) -> Any:
    from simulators.managers.replay_manager import ReplayManager

    return ReplayManager({case.id: case.script})


def test_the_demo_shows_both_and_the_headline_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load_reward", lambda spec: ScoredByLength())
    monkeypatch.setattr(demo, "POLICIES", ("heuristic", "random"))
    result = invoke("demo", "--manager", "rules", "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    words = ("One that goes well", "What went well", "One that fails", "Why it fails", "Benchmark: heuristic, random")
    places = [result.output.index(word) for word in (*words, "clean_fix", "Verdict", "Report: ")]
    assert places == sorted(places)
    assert "problem_turns" not in result.output and "does not fix" not in result.output


def test_the_demo_says_in_words_how_its_reward_is_made() -> None:
    reward = registry.load_reward("repo")
    assert isinstance(reward, RepoReward) and reward.composition.formula == "repo"
    made = reward.composition
    assert demo.REWARD_IN_WORDS.split(":")[0].endswith(f"at most {made.n:g}) / {made.n:g} - {made.zero:g}")


def test_names_of_policies_suites_personas_and_presets_are_completed() -> None:
    assert completion.policies("heur") == ["heuristic"]
    assert completion.policies("heuristic,int") == ["heuristic,intent-driven"]
    assert "heuristic,heuristic" not in completion.policies("heuristic,")
    assert {"bad-cases", "online", "ab"} <= set(completion.suites(""))
    assert completion.managers("rul") == ["rules"] and completion.readers("a") == ["auto"]
    personas = completion.personas("")
    assert len(personas) >= 18 and all(name and title for name, title in personas)


@pytest.mark.parametrize(
    ("method", "names"),
    [("sft", ["paper", "small", "tiny"]), ("rm", ["ngram", "paper", "small", "tiny"]), ("sb3", ["tiny"]), ("none", [])],
)
def test_presets_are_those_of_the_method(method: str, names: list[str]) -> None:
    context: Any = SimpleNamespace(info_name=method)
    assert completion.presets(context, "") == names


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("negotiate bench --policy heuristic,int", "heuristic,intent-driven"),
        ("negotiate bench -s bad", "bad-cases"),
        ("negotiate train dpo --preset sm", "small"),
        ("negotiate play --persona ", ""),
        ("negotiate persona show ", ""),
    ],
)
def test_the_shell_is_offered_them_on_tab(line: str, found: str) -> None:
    words = line.split(" ")
    environment = {
        "_NEGOTIATE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
    }  # fmt: skip
    result = CliRunner().invoke(app, [], env=environment, prog_name="negotiate")
    offered = result.output.split()
    wanted = found or completion.personas("")[0][0]
    assert wanted in offered, result.output
