"""What gaming in free language earns where an author wrote a good reply: ``negotiate study written-gaming``.

In every state of written dialogues whose sent reply is excellent, replies of each strategy are scored in its place.
``gaming_lines.toml`` holds their lines, several a strategy, written by somebody who saw neither rules nor training
data; those of ``MADE`` are made of the talk or of the good reply. A strategy pays where its mean R_total is above the
good replies'; also told is in which share of states it wins. Intervals are clustered by dialogue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer
from pydantic import Field
from rich.console import Console
from rich.table import Table

from benchmarks.statistics import Figure, mean, share
from benchmarks.studies.reading_quality import dialogues_of
from negotiation_env.files import read_toml, write_json
from negotiation_env.language.reading import Reader
from negotiation_env.play.exchange import reply_in
from negotiation_env.play.protocols import ReplyView, Reward
from negotiation_env.play.registry import AUTO, load_reader, load_reward, suited_reader
from simulators.people.graded_replies import graded_turns
from simulators.people.written_dialogues import WrittenDialogue

LINES: Final = Path(__file__).with_name("gaming_lines.toml")
_Lines = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


def _last_heard(view: ReplyView) -> str:
    return next((u.text for u in reversed(view.manager_said) if u.text.strip()), "")


def _first_words(view: ReplyView) -> str:
    return view.agent_said[0].text if view.agent_said else ""


MADE: Final[dict[str, Callable[[ReplyView, str], str]]] = {
    "silence": lambda view, good: "",
    "copies the hotel": lambda view, good: _last_heard(view) or "Hello?",
    "says its first message again": lambda view, good: _first_words(view) or good[: len(good) // 2],
    "says the good reply twice": lambda view, good: f"{good} {good}",
    "shouts the good reply": lambda view, good: good.upper() + "!!!",
    "breaks off": lambda view, good: " ".join(good.split()[: max(1, len(good.split()) // 4)]),
}
"""Strategies whose replies are made of the talk and of the good reply."""


class Outcome(NamedTuple):
    """What a strategy earns: R_total less the good reply's, on average, and the share of states in which it wins."""

    strategy: str
    gain: Figure
    wins: Figure

    @property
    def pays(self) -> bool:
        """Whether the mean lies above the good replies'."""
        return self.gain.value is not None and self.gain.value > 0.0


def strategies(path: Path = LINES) -> dict[str, tuple[str, ...]]:
    """Return each written strategy's lines; raises ``DataFileError`` where the file holds other things."""
    return {name: tuple(lines) for name, lines in read_toml(path, dict[str, _Lines]).items()}


def line_of(lines: Sequence[str], where: str) -> str:
    """Return the line that a state gets: always the same one, each about as often."""
    return lines[int.from_bytes(hashlib.sha256(where.encode()).digest()[:4], "big") % len(lines)]


def measure(
    dialogues: Sequence[WrittenDialogue], reward: Reward, reader: Reader, written: Mapping[str, Sequence[str]]
) -> list[Outcome]:
    """Score every strategy in every state whose sent reply is excellent."""
    names = [*written, *MADE]
    gains: dict[str, list[list[float]]] = {name: [] for name in names}
    for dialogue in dialogues:
        here: dict[str, list[float]] = {name: [] for name in names}
        for turn in graded_turns(dialogue, reader):
            sent = turn.replies[0]
            if sent.grade != "excellent":
                continue
            good, *theirs = reward.score([sent.view, *_replies(names, written, sent.where, sent.view, reader)])
            for name, scored in zip(names, theirs, strict=True):
                if scored.total is not None and good.total is not None:
                    here[name].append(scored.total - good.total)
        for name in names:
            gains[name].append(here[name])
    return [Outcome(name, mean(some), share([[g > 0.0 for g in row] for row in some])) for name, some in gains.items()]


def _replies(
    names: Sequence[str], written: Mapping[str, Sequence[str]], where: str, view: ReplyView, reader: Reader
) -> list[ReplyView]:
    texts = [line_of(written[n], f"{n} {where}") if n in written else MADE[n](view, view.text) for n in names]
    return [reply_in(view, text, reader) for text in texts]


def _told(figure: Figure, form: str) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "–"
    return f"{figure.value:{form}} [{figure.low:{form}}, {figure.high:{form}}]"


def study(
    source: Annotated[str, typer.Argument(help="train, validation, test, or a file of dialogues.")] = "test",
    reward: Annotated[str, typer.Option(help="Reward spec, such as repo or repo:n=25.")] = "repo",
    reader: Annotated[str, typer.Option(help="By which replies are understood.")] = AUTO,
    out: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
) -> int:
    """Measure what gaming in free language earns beside written replies; exit status 1 if a strategy pays."""
    name = suited_reader(None) if reader == AUTO else reader
    found = measure(dialogues_of(source), load_reward(reward), load_reader(name), strategies())
    console, table = Console(), Table(title="R_total less the good reply's, with 95% intervals")
    for column in ("strategy", "gain of a reply", "wins"):
        table.add_column(column, justify="left" if column == "strategy" else "right")
    for o in sorted(found, key=lambda outcome: -(outcome.gain.value or 0.0)):
        table.add_row(o.strategy, _told(o.gain, "+.2f"), _told(o.wins, ".3f"))
    console.print(table)
    if out is not None:
        write_json(out, [{"strategy": o.strategy, "gain": o.gain._asdict(), "wins": o.wins._asdict()} for o in found])
    for o in found:
        if o.pays:
            console.print(f"pays: {o.strategy}: {o.gain.value:+.3f} above the good reply's", markup=False)
    return 1 if any(o.pays for o in found) else 0
