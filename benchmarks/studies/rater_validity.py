"""Are the raters valid? ``negotiate study raters``, and ``negotiate study raters SPLIT`` on written replies.

Three measurements on automated raters, with no human in the loop (for the fourth, see ``written_raters``):

* labelled pairs: does the right rater score the worse of two hand-written replies lower?
* degradations: of good replies from good dialogues, each is spoiled in one way; the right rater's score must fall in at
  least 95% of the cases;
* paraphrases: the same replies in other words; the mean score must stay within 0.1.

Good replies are those that the panel's consensus rates at 3.5 or more, in dialogues of three scripted policies with the
rule-based manager and in the hand-written good dialogues of the bad cases. Prints the table, writes it as Markdown, and
returns 1 if a bar is missed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, NamedTuple, TypeVar

import numpy as np
import typer
from rich.console import Console

from benchmarks.raters.panel import RATERS, RatedReply, rate_record, rate_turn
from benchmarks.raters.situation import Hidden, contexts, hidden_of, said_instead, walk
from benchmarks.statistics import Figure, mean, share
from benchmarks.studies.degradations import DEGRADATIONS, PARAPHRASES, Degradation, Good, Paraphrase
from benchmarks.studies.labelled_pairs import played, rate_pair, read_pairs
from benchmarks.studies.written_raters import report_written
from benchmarks.suites import bad_cases
from negotiation_env.game.scenario import Scenario, sample_scenario
from negotiation_env.play.protocols import Unscored
from negotiation_env.play.records import Episode
from negotiation_env.play.registry import AUTO, load_manager, load_policy, reader_for
from negotiation_env.play.rollout import rollout
from negotiation_env.seeds import SCENARIOS

V = TypeVar("V")
OUT: Final = Path("docs/rater_validity.md")
WRITTEN: Final = "## Written replies"
"""Head of the part of the table's file that is about written replies."""
LOWERED, DRIFT, GOOD = 0.95, 0.1, 3.5
"""The bars: share of degraded replies rated lower; mean change under paraphrase; consensus of a good reply."""
LEAST: Final = 200
"""Replies that each degradation is measured on, at least."""
POLICIES: Final = ("intent-driven", "heuristic", "sb3")
FIRST_SEED: Final = SCENARIOS["rater validity"].start
"""User seed of the first dialogue; none of them is in a suite."""
UPSET: Final = ("commission-rebel", "grieving-owner")
GENEROUS: Final = ("eager-conceder", "event-optimist", "exposure-newcomer")
BATCH: Final = 60
"""Scenarios played at a time, per policy and kind of persona."""
MOST_BATCHES: Final = 16
PER_DIALOGUE: Final = 2
"""Replies of one dialogue that one change is measured on, at most."""


class Change(NamedTuple):
    """What one changed reply did to the scores: after less before."""

    source: str
    """The dialogue that the reply is from: changes of one dialogue are one cluster."""
    raters: dict[str, float]
    consensus: float


@dataclass(slots=True)
class MeasuredChange:
    """All changes measured, by the name of the degradation or paraphrase."""

    changes: dict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    good: int = 0
    dialogues: int = 0


def dialogues(batch: int) -> list[tuple[str, Episode, Scenario]]:
    """Return good players' dialogues, shuffled: with sampled, upset and generous personas, and the bad cases' own."""
    found = list(_dialogues(batch))
    return [found[i] for i in np.random.default_rng(batch).permutation(len(found))]


def _dialogues(batch: int) -> Iterator[tuple[str, Episode, Scenario]]:
    if batch == 0:
        for case in bad_cases():
            if case.script and case.good:
                yield case.id, played(case.scenario, case.good, case.script), case.scenario
    manager = load_manager("rules")
    seeds = range(FIRST_SEED + batch * BATCH, FIRST_SEED + (batch + 1) * BATCH)
    scenarios = [sample_scenario(seed) for seed in seeds]
    for name in POLICIES:
        for kind, personas in (("", ()), ("upset", UPSET), ("generous", GENEROUS)):
            chosen = [personas[i % len(personas)] for i in range(BATCH)] if personas else None
            policy = load_policy(name)
            episodes = rollout(policy, scenarios, manager=manager, reward=Unscored(), personas=chosen)
            for scenario, episode in zip(scenarios, episodes, strict=True):
                yield f"{name} {kind} {scenario.id}", episode, scenario


def measure(replies: int = 300, seed: int = 0) -> MeasuredChange:
    """Degrade and paraphrase good replies until each change was measured ``replies`` times, or dialogues run out."""
    found = MeasuredChange()
    rng = np.random.default_rng(seed)
    names = [change.name for change in (*DEGRADATIONS, *PARAPHRASES)]
    for batch in range(MOST_BATCHES):
        if all(len(found.changes[name]) >= replies for name in names):
            break
        for source, episode, scenario in dialogues(batch):
            found.dialogues += 1
            _measure_episode(found, source, episode, scenario, replies, rng)
    return found


def _measure_episode(
    found: MeasuredChange, source: str, episode: Episode, scenario: Scenario, replies: int, rng: np.random.Generator
) -> None:
    changes: tuple[Degradation | Paraphrase, ...] = (*DEGRADATIONS, *PARAPHRASES)
    if not any(len(found.changes[change.name]) < replies for change in changes):
        return
    own: Counter[str] = Counter()
    for (now, record), context in zip(walk(episode, hidden_of(episode, scenario)), contexts(episode), strict=True):
        before = rate_turn(now, record)
        if before.consensus.score < GOOD:
            continue
        found.good += 1
        good = Good(now, record, context)
        for change in changes:
            if len(found.changes[change.name]) >= replies or own[change.name] >= PER_DIALOGUE:
                continue
            text = change.apply(good, rng)
            if text is not None:
                own[change.name] += 1
                after = rate_turn(now, said_instead(record, text, context))
                found.changes[change.name].append(_change(source, before, after))


def _change(source: str, before: RatedReply, after: RatedReply) -> Change:
    raters = {name: after.raters[name].score - before.raters[name].score for name in RATERS}
    return Change(source, raters, after.consensus.score - before.consensus.score)


def lowered(changes: Sequence[Change], rater: str) -> Figure:
    """Return the share of changes that lowered a rater's score; changes of one dialogue are one cluster."""
    return share(_clusters(changes, [change.raters[rater] < 0.0 for change in changes]))


def drift(changes: Sequence[Change], rater: str | None = None) -> Figure:
    """Return the mean change of a rater's score, or of the consensus."""
    return mean(_clusters(changes, [c.consensus if rater is None else c.raters[rater] for c in changes]))


def _clusters(changes: Sequence[Change], values: Sequence[V]) -> list[list[V]]:
    clusters: dict[str, list[V]] = defaultdict(list)
    for change, value in zip(changes, values, strict=True):
        clusters[change.source].append(value)
    return list(clusters.values())


class HalfFixCheck(NamedTuple):
    """How the panel took one bad case's half fix: replies that fix the case and bring in a problem, by another hand."""

    id: str
    problem: str
    lower: bool
    """Whether the consensus on the dialogue is below that on the clean fix."""
    severe: bool
    """Whether a rater finds a severe fault."""


def compare_half_fixes() -> list[HalfFixCheck]:
    """Rate every bad case's half fix beside its clean fix."""
    results = []
    for case in bad_cases():
        if case.script is None or case.half is None:
            continue
        clean, half = (
            rate_record(played(case.scenario, lines, case.script), Hidden(case.scenario.brief.floors))
            for lines in (case.good, case.half.replies)
        )
        severe = any(f.severe for reply in half.replies for f in reply.consensus.findings)
        lower = half.consensus.score < clean.consensus.score - 0.1
        results.append(HalfFixCheck(case.id, case.half.problem, lower, severe))
    return results


class PairResult(NamedTuple):
    """How one labelled pair came out."""

    id: str
    rater: str
    ordered: bool
    """Whether the right rater scores the worse reply lower."""
    agreed: bool
    """Whether the consensus does."""
    skill: bool | None
    """Whether the right rater denies the worse reply the skill and grants it to the good one; None if left open."""


def compare_pairs() -> list[PairResult]:
    """Rate every labelled pair."""
    results = []
    for pair in read_pairs():
        good, worse = rate_pair(pair)
        own, other = good.raters[pair.rater], worse.raters[pair.rater]
        skill = None if pair.skill is None else own.skills[pair.skill] and not other.skills[pair.skill]
        ordered, agreed = other.score < own.score, worse.consensus.score < good.consensus.score
        results.append(PairResult(pair.id, pair.rater, ordered, agreed, skill))
    return results


def passed(found: MeasuredChange, pairs: Sequence[PairResult]) -> list[str]:
    """Return the bars that were missed, in words; empty if all hold."""
    missed = []
    for degradation in DEGRADATIONS:
        changes = found.changes[degradation.name]
        value = lowered(changes, degradation.rater).value
        if len(changes) < LEAST:
            missed.append(f"{degradation.name}: {len(changes)} replies, fewer than {LEAST}")
        if value is None or value < LOWERED:
            missed.append(f"{degradation.name}: lowered in {value}, less than {LOWERED}")
    for paraphrase in PARAPHRASES:
        for rater in (*RATERS, None):
            value = drift(found.changes[paraphrase.name], rater).value
            if value is None or abs(value) > DRIFT:
                missed.append(f"{paraphrase.name}: mean change {value} ({rater or 'consensus'}), more than {DRIFT}")
    ordered = [pair.ordered for pair in pairs]
    if sum(ordered) < LOWERED * len(ordered):
        missed.append(f"labelled pairs: {sum(ordered)} of {len(ordered)} in the right order")
    return missed


def report(found: MeasuredChange, pairs: Sequence[PairResult]) -> str:
    """Return the validity table as Markdown."""
    lines = [
        "# Validity of the automated raters",
        "",
        "Made by `negotiate study raters`; the numbers are the same every time. The raters are code, not",
        "people; what is measured is whether the right rater sees what was spoiled, not whether people would agree.",
        "Raters, spoiling sentences and pairs come from one hand: wordings that nobody foresaw may go unseen.",
        "",
        f"## Degraded replies ({found.good:,} good replies of {found.dialogues:,} dialogues to choose from)",
        "",
        f"Bar: the right rater's score falls in at least {LOWERED:.0%} of the cases. 95% intervals, by dialogue.",
        "",
        "| degradation | what is done | right rater | replies | score falls | mean change | consensus falls by |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rater, what, _ in DEGRADATIONS:
        changes = found.changes[name]
        lines.append(
            f"| {name} | {what} | {rater} | {len(changes)} | {_percent(lowered(changes, rater))} | "
            f"{_signed(drift(changes, rater))} | {_signed(drift(changes))} |"
        )
    lines += [
        "",
        "## Paraphrased replies",
        "",
        f"Bar: the mean change stays within {DRIFT}.",
        "",
        "| paraphrase | what is done | replies | " + " | ".join(RATERS) + " | consensus |",
        "|---|---|---|" + "---|" * (len(RATERS) + 1),
    ]
    for name, what, _ in PARAPHRASES:
        changes = found.changes[name]
        cells = " | ".join(_signed(drift(changes, rater)) for rater in (*RATERS, None))
        lines.append(f"| {name} | {what} | {len(changes)} | {cells} |")
    more = [*_pair_lines(pairs), *_half_lines(compare_half_fixes())]
    return "\n".join([*lines, *more, *_verdict(passed(found, pairs))]) + "\n"


def _pair_lines(pairs: Sequence[PairResult]) -> list[str]:
    lines = [
        "",
        "## Labelled pairs",
        "",
        "A good and a worse reply to one situation, written by hand (`benchmarks/studies/pairs/pairs.toml`).",
        "",
        "| rater | pairs | rater in the right order | consensus in the right order | right skill denied |",
        "|---|---|---|---|---|",
    ]
    for rater in RATERS:
        own = [pair for pair in pairs if pair.rater == rater]
        skills = [pair.skill for pair in own if pair.skill is not None]
        lines.append(
            f"| {rater} | {len(own)} | {sum(p.ordered for p in own)} | {sum(p.agreed for p in own)} | "
            f"{sum(skills)} of {len(skills)} |"
        )
    wrong = [f"`{p.id}`" for p in pairs if not p.ordered or not p.agreed or p.skill is False]
    return [*lines, "", "Not as labelled in some column: " + (", ".join(wrong) or "none") + "."]


def _half_lines(halves: Sequence[HalfFixCheck]) -> list[str]:
    lower = [half for half in halves if half.lower]
    unseen = [f"`{half.id}` ({half.problem})" for half in halves if not half.lower]
    return [
        "",
        "## Half fixes of the bad cases",
        "",
        "Dialogues that fix a bad case and bring in one new problem, written with the cases and not for the raters.",
        f"The consensus is below that on the clean fix, by more than 0.1, in {len(lower)} of {len(halves)}; in "
        f"{sum(half.severe for half in halves)} one finds a severe fault. Not below: {', '.join(unseen) or 'none'}.",
    ]


def _verdict(missed: Sequence[str]) -> list[str]:
    return ["", "All bars are met." if not missed else "Missed: " + "; ".join(missed) + "."]


def _percent(figure: Figure) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "–"
    return f"{100 * figure.value:.1f}% [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"


def _signed(figure: Figure) -> str:
    return "–" if figure.value is None else f"{figure.value:+.2f}".replace("-0.00", "0.00").replace("+0.00", "0.00")


def study(
    files: Annotated[
        list[str] | None, typer.Argument(help="Written dialogues: the corpus' splits, or files; none: spoiled replies.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Markdown file to write, where no dialogues are named.")] = OUT,
    replies: Annotated[int, typer.Option(help="Replies per degradation, at most.")] = 300,
    reader: Annotated[str, typer.Option(help="Who reads written replies: rules, encoder, auto.")] = AUTO,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with written replies' ratings.")
    ] = False,
    texts: Annotated[bool, typer.Option(help="Give written replies' texts.")] = True,
) -> int:
    """Measure whether the automated raters see what they should; exit status 1 if a bar is missed."""
    if files:
        return report_written(files, reader_for(None, reader), as_json, texts)
    found, pairs = measure(replies), compare_pairs()
    text = report(found, pairs)
    kept = written_sections(out.read_text(encoding="utf-8")) if out.is_file() else ""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + kept, encoding="utf-8")
    Console().print(text, markup=False, highlight=False, soft_wrap=True)
    return int(bool(passed(found, pairs)))


def written_sections(text: str) -> str:
    """Return what a table's file says of written replies, which is measured apart and kept."""
    place = text.find(WRITTEN)
    return "" if place < 0 else "\n" + text[place:]
