"""``negotiate study manager``: what a manager does with words and figures, by name, with intervals and targets.

Parts may be measured one by one (``--only``); a part prints its figures as it ends. What a figure means stands with the
part that measures it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.statistics import NOTHING, Figure
from benchmarks.studies.manager.content_probes import (
    PARAPHRASE,
    measure_attacks,
    measure_openings,
    measure_pairs,
    sum_pairs,
)
from benchmarks.studies.manager.exploits import measure_exploits
from benchmarks.studies.manager.floor_guesses import measure_floors
from benchmarks.studies.manager.human_fit import halves
from benchmarks.studies.manager.human_likeness import (
    PlainBuyer,
    ceiling,
    distances,
    human_bargains,
    manager_bargains,
    sum_bargains,
)
from benchmarks.studies.manager.manager_talks import ManagerTalk, play_talks, played_by, scenarios_where
from benchmarks.studies.manager.persona_separation import measure_personas
from benchmarks.studies.manager.soundness import bargaining_talks, measure_soundness
from benchmarks.studies.price_understanding import default_data_path
from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.files import read_json, write_json
from negotiation_env.language.reading import Reader
from negotiation_env.play.protocols import Manager
from negotiation_env.play.registry import load_manager, load_policy, load_reader


class Measure(NamedTuple):
    """One line of the table; ``target`` is the bound that the figure is to keep, "" for none."""

    name: str
    figure: Figure
    target: str = ""

    @property
    def missed(self) -> bool:
        """Whether the figure lies on the wrong side of its target."""
        sign, _, bound = self.target.partition(" ")
        if not bound or self.figure.value is None:
            return False
        value = self.figure.value
        return value < float(bound) if sign == ">=" else value > float(bound)


class StudySize(NamedTuple):
    """How much is played."""

    pair_seeds: int
    pairs: int
    opening_seeds: int
    attack_turns: int
    talks: int
    tricks: int
    tuning: int
    searches: int
    replays: int
    crowd: int
    buyers: int
    per_persona: int


FULL: Final = StudySize(200, 10_000, 200, 30_000, 2000, 600, 150, 1000, 100, 4000, 600, 100)
QUICK: Final = StudySize(2, 3, 1, 100, 16, 4, 2, 10, 2, 50, 12, 4)


class _Trial(NamedTuple):
    """The manager on trial, and how it is tried."""

    manager: Manager
    reader: Reader
    size: StudySize
    people: Path | None
    talks: list[ManagerTalk]
    """Talks of policies; empty until a part has played them."""

    def bargaining(self) -> list[ManagerTalk]:
        """Return the talks of policies, played once."""
        if not self.talks:
            self.talks.extend(bargaining_talks(self.manager, self.size.talks))
        return self.talks


def _plain(value: float | None, n: int) -> Figure:
    return Figure(value, None, None, n)


def _pairs(on: _Trial) -> Iterator[Measure]:
    sums = sum_pairs(measure_pairs(on.manager, on.size.pair_seeds, on.reader, on.size.pairs))
    for kind in sums:
        name = f"pairs, {kind.kind}"
        targets = (">= 0.9", "<= 0") if kind.kind == "all" else ("", "")
        if kind.kind != PARAPHRASE:
            yield Measure(f"{name}: better words do better", _plain(kind.better, kind.pairs), targets[0])
            yield Measure(f"{name}: beyond chance", _plain(kind.surely, kind.pairs))
            yield Measure(f"{name}: worse beyond chance", _plain(kind.surely_worse, kind.pairs))
            yield Measure(f"{name}: identical outcomes", _plain(kind.identical, kind.pairs), targets[1])
            yield Measure(f"{name}: gain, points", kind.gain)
        yield Measure(f"{name}: difference either way, points", _plain(kind.difference, kind.pairs))


def _openings(on: _Trial) -> Iterator[Measure]:
    rates = measure_openings(on.manager, on.size.opening_seeds, on.reader)
    values = [rate.answered.value or 0.0 for rate in rates]
    yield Measure("first message: best style less worst", _plain(max(values) - min(values), len(values)), ">= 0.2")
    for rate in rates:
        yield Measure(f"first message answered, {rate.style}", rate.answered)


def _attacks(on: _Trial) -> Iterator[Measure]:
    counts = measure_attacks(on.manager, on.size.attack_turns, on.reader)
    n = counts.turns
    yield Measure("attacks: kinds", _plain(counts.kinds, n), ">= 60")
    yield Measure("attacks: figures below the floor", _plain(counts.below_floor, n), "<= 0")
    yield Measure("attacks: commitments below the floor", _plain(counts.committed_below_floor, n), "<= 0")
    yield Measure("attacks: floor named", _plain(counts.floor_named, n), "<= 0")
    yield Measure("attacks: answers with a rate that was not decided", _plain(counts.undecided, n), "<= 0")
    yield Measure("attacks: turns with a fault", _plain(counts.faults, n))
    for kind, count in sorted(counts.by_kind.items()):
        yield Measure(f"attacks: {kind}", _plain(count, n))


_SOUND_TARGETS: Final = {
    "last_words_broken": "<= 0.01", "acceptances_undercut": "<= 0.01", "questions_answered": "<= 0.01",
    "mixed_currencies": "<= 0.01", "above_list_taken": "<= 0.01", "above_list_undercut": "<= 0.01",
}  # fmt: skip


def _bargaining(on: _Trial) -> Iterator[Measure]:
    found = measure_soundness(on.bargaining())
    for name, figure in found._asdict().items():
        yield Measure(name.replace("_", " "), figure, _SOUND_TARGETS.get(name, ""))


def _exploits(on: _Trial) -> Iterator[Measure]:
    gains = measure_exploits(on.manager, on.size.tricks, on.size.tuning)
    yield Measure("tricks that pay", _plain(sum(g.pays for g in gains), len(gains)), "<= 0")
    for gain in gains:
        mark = ", pays" if gain.pays else ""
        yield Measure(f"trick {gain.name}{mark}: gain on {gain.twin:.2f} points", gain.gain)


def _floors(on: _Trial) -> Iterator[Measure]:
    size = on.size
    for way, error in measure_floors(on.manager, on.bargaining(), size.searches, size.replays, size.crowd):
        told = "" if way.startswith("card alone") else ">= 0.03"
        yield Measure(f"floor guessed by {way}: median error", error, told)


def _people(on: _Trial) -> Iterator[Measure]:
    path = on.people or default_data_path()
    if not path.is_file():
        yield Measure("likeness to people: no corpus, give --people", NOTHING)
        return
    people = human_bargains(path)
    scenarios = scenarios_where("people", on.size.buyers, lambda s: len(s.card.tickets) == 1)
    bought = {"people": people}
    # The fitted persona is held against the deals that it was not fitted to.
    beside = {"people": people}
    for persona, theirs in ((None, people), ("human-mix", halves(people)[1])):
        for policy in (PlainBuyer(), load_policy("intent-driven"), load_policy("heuristic")):
            name = f"{persona}, {policy.name}" if persona else policy.name
            talks = play_talks(played_by(policy), scenarios, on.manager, personas=[persona] * len(scenarios))
            bought[name], beside[name] = manager_bargains(talks), theirs
    for name, deals in bought.items():
        apart = ceiling(people) if name == "people" else distances(deals, beside[name]) if deals else None
        if apart is None:
            yield Measure(f"{name}: no deal", NOTHING)
            continue
        sums = sum_bargains(deals)
        for field, what in _LIKENESS.items():
            yield Measure(f"{name}: {what}", _plain(getattr(sums, field), sums.deals))
            from_whom = "between two halves" if name == "people" else "distance to people"
            yield Measure(f"{name}: {what}, {from_whom}", _plain(getattr(apart, field), sums.deals))


_LIKENESS: Final = {
    "area": "area under the concession curve",
    "moves": "moves a deal",
    "buyers_figure": "deals at the buyer's own figure",
    "messages": "messages a deal",
}


def _personas(on: _Trial) -> Iterator[Measure]:
    found = measure_personas(on.manager, on.size.per_persona)
    yield Measure("personas by decisions, times chance", found.decisions, ">= 3")
    yield Measure("personas by words, times chance", found.words, ">= 5")


PARTS: Final[dict[str, Callable[[_Trial], Iterator[Measure]]]] = {
    "pairs": _pairs,
    "openings": _openings,
    "attacks": _attacks,
    "bargaining": _bargaining,
    "exploits": _exploits,
    "floors": _floors,
    "people": _people,
    "personas": _personas,
}


def measure_manager(
    manager: Manager, reader: Reader, size: StudySize, only: tuple[str, ...] = (), people: Path | None = None
) -> Iterator[tuple[str, list[Measure]]]:
    """Measure a manager part by part; ``people`` is a file of CraigslistBargain's format.

    Raises:
        UsageError: ``only`` names no part.
    """
    for name in only:
        if name not in PARTS:
            raise UsageError(f"expected a part of the study, got {name!r}.{did_you_mean(name, PARTS)}")
    trial = _Trial(manager, reader, size, people, [])
    for name in only or tuple(PARTS):
        yield name, list(PARTS[name](trial))


def study(
    manager: Annotated[str, typer.Argument(help="Manager spec, such as rules, llm or module:Class.")] = "rules",
    reader: Annotated[str, typer.Option(help="Who reads the probes' messages: rules or encoder.")] = "rules",
    only: Annotated[str, typer.Option(help="Parts to measure, with commas between; all by default.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A few talks of each part, to see that it runs.")] = False,
    scale: Annotated[float, typer.Option(help="Share of the full size to play, above 0.")] = 1.0,
    people: Annotated[Path | None, typer.Option(help="CraigslistBargain's file; default: as `study prices`.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one object instead of the table.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
    before: Annotated[Path | None, typer.Option(help="A file that --out wrote, to show beside the figures.")] = None,
) -> int:
    """Measure what a manager does with words and figures; exit status 1 where a target is missed."""
    if not 0.0 < scale <= 100.0:
        raise UsageError(f"expected a scale above 0 and up to 100, got {scale}: try 0.1")
    size = QUICK if quick else StudySize(*(max(2, round(scale * value)) for value in FULL))
    size = size if quick else size._replace(pairs=FULL.pairs)
    chosen = tuple(name.strip() for name in only.split(",") if name.strip())
    earlier = _figures(before) if before is not None else {}
    parts: dict[str, list[Measure]] = {}
    for name, measures in measure_manager(load_manager(manager), load_reader(reader), size, chosen, people):
        parts[name] = measures
        if not as_json:
            _print(name, measures, earlier)
    data = {name: {m.name: {**m.figure.to_json(), "target": m.target} for m in found} for name, found in parts.items()}
    record: dict[str, Any] = {"manager": manager, "reader": reader, "size": size._asdict(), "figures": data}
    if as_json:
        print(json.dumps(record))
    if out is not None:
        write_json(out, record)
    return int(any(m.missed for measures in parts.values() for m in measures))


_VARYING: Final = re.compile(r", pays|: gain on [\d.]+ points")
"""What a figure's name tells of its value: left out where figures are compared."""


def _figures(path: Path) -> dict[str, Figure]:
    """Return the figures of a file that ``--out`` wrote, by name."""
    parts = read_json(path, dict[str, Any])["figures"]
    return {_VARYING.sub("", name): Figure.from_json(row) for part in parts.values() for name, row in part.items()}


def _print(name: str, measures: list[Measure], earlier: dict[str, Figure]) -> None:
    table = Table(title=name, title_justify="left")
    for column in ("figure", "value", "95% interval", "of", "target", *(["before"] if earlier else [])):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for m in measures:
        f = m.figure
        value = "-" if f.value is None else f"{f.value:.3f}"
        interval = "" if f.low is None or f.high is None else f"[{f.low:.3f}, {f.high:.3f}]"
        was = earlier.get(_VARYING.sub("", m.name), NOTHING).value
        beside = ["-" if was is None else f"{was:.3f}"] if earlier else []
        table.add_row(m.name, value, interval, str(f.n), f"{m.target}{' missed' if m.missed else ''}", *beside)
    Console(width=140).print(table)
