"""How the automated raters rate written replies: whom they prefer, what they call excellent, which flaws they see.

Each message of a written dialogue and its alternatives are rated in the state in which they were said: what came before
is taken as annotated, the reply as a reader hears it, as in a benchmark. Quality 4 and 5 counts as excellent, 3 as
bland, 1 and 2 as flawed. A tie is no preference. With ``--no-texts`` no text is given. Intervals are Wilson's,
clustered by dialogue. What raters were tuned on is not what they are reported on: the corpus' test authors, or a file
of one's own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import typer

from benchmarks.raters.panel import RatedReply, rate_turn
from benchmarks.raters.situation import Hidden, RatedSituation, walk
from benchmarks.statistics import Figure, share
from negotiation_env.files import read_lines
from negotiation_env.game.state import Stage
from negotiation_env.language.reading import Reader, reader_label
from negotiation_env.play.protocols import RewardBreakdown
from negotiation_env.play.records import Episode, TurnRecord
from simulators.people.written_dialogues import SPLITS, WrittenDialogue, WrittenReply, task_card, written_dialogues
from simulators.people.written_messages import WrittenMessage, game_acts, written_messages

TARGETS: Final[dict[str, float]] = {
    "excellent_flawed": 0.92, "excellent_recognised": 0.60, "bland_recognised": 0.10, "severe_on_excellent": 0.02,
}  # fmt: skip
"""What the raters are to reach: at least for the first two, at most for what goes wrong."""
AT_MOST: Final = frozenset(("bland_recognised", "severe_on_excellent"))
EXCELLENT, BLAND, FLAWED = "excellent", "bland", "flawed"
_UNSCORED: Final = RewardBreakdown(None, None, None, None, None)


class RatedWriting(NamedTuple):
    """One written reply as the panel rates it."""

    message: WrittenMessage
    quality: int
    rated: RatedReply

    @property
    def dialogue(self) -> str:
        """The dialogue that it is from."""
        return self.message.where.split(":")[0]

    @property
    def grade(self) -> str:
        """Excellent, bland or flawed, as written."""
        return EXCELLENT if self.quality >= 4 else BLAND if self.quality == 3 else FLAWED

    @property
    def score(self) -> float:
        """The panel's score, 1 to 5."""
        return self.rated.consensus.score

    @property
    def severe(self) -> bool:
        """Whether a rater finds a severe fault."""
        return any(f.severe for f in self.rated.consensus.findings)


def dialogues_of(name: str) -> Sequence[WrittenDialogue]:
    """Return a split's dialogues, or a file's in the corpus' format."""
    return written_dialogues(name) if name in SPLITS else tuple(read_lines(Path(name), WrittenDialogue))


class WrittenSituation(NamedTuple):
    """One turn of a written dialogue: how things stood, and what was or could have been said."""

    now: RatedSituation
    """Changed in place with the next turn."""
    replies: tuple[WrittenReply, ...]
    messages: tuple[WrittenMessage, ...]
    records: tuple[TurnRecord, ...]
    """The replies as a reader hears them, without an answer."""


def situations(dialogues: Iterable[WrittenDialogue], reader: Reader) -> Iterator[WrittenSituation]:
    """Yield the turns of dialogues, in order; the first reply of a turn is the one that was said."""
    for dialogue in dialogues:
        said = [m for m in written_messages(dialogue) if m.side == "agent"]
        heard = iter(zip(said, reader.read([m.text for m in said], [m.context for m in said]), strict=True))
        hidden = Hidden(tuple(round(ticket.floor) for ticket in dialogue.tickets))
        for turn, (now, _) in zip(dialogue.turns, walk(written_episode(dialogue), hidden), strict=True):
            given = [next(heard) for _ in turn.replies]
            records = tuple(TurnRecord(m.text, reading.acts, Stage.OPEN, _UNSCORED, "", ()) for m, reading in given)
            yield WrittenSituation(now, turn.replies, tuple(m for m, _ in given), records)


def rate_writing(dialogues: Iterable[WrittenDialogue], reader: Reader) -> Iterator[list[RatedWriting]]:
    """Yield each turn's replies with their ratings, turn by turn."""
    for turn in situations(dialogues, reader):
        yield [
            RatedWriting(message, reply.quality, rate_turn(turn.now, record))
            for reply, message, record in zip(turn.replies, turn.messages, turn.records, strict=True)
        ]


def written_episode(dialogue: WrittenDialogue) -> Episode:
    """Return a dialogue as a record, with its acts as annotated."""
    turns = tuple(
        TurnRecord(turn.agent, game_acts(turn.agent_acts, "agent"), Stage.OPEN, _UNSCORED, turn.manager,
                   game_acts(turn.manager_acts, "manager"))
        for turn in dialogue.turns
    )  # fmt: skip
    return Episode(dialogue.id, 0, "written", "written", task_card(dialogue), turns, "closed", ())


def figures(turns: Sequence[Sequence[RatedWriting]]) -> dict[str, Figure]:
    """Return the figures by name: pairs within a turn, shares of replies, and each flaw's pairs and finds."""
    table: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for replies in turns:
        for better, worse in _pairs(replies):
            won = better.score > worse.score
            table[f"{better.grade}_{worse.grade}"][better.dialogue].append(won)
            if better.grade == EXCELLENT:
                for flaw in worse.message.flaws:
                    table[f"flaw {flaw}"][better.dialogue].append(won)
        for reply in replies:
            excellent = reply.rated.consensus.excellent
            table[f"{reply.grade}_recognised"][reply.dialogue].append(excellent)
            table[f"severe_on_{reply.grade}"][reply.dialogue].append(reply.severe)
    names = [*TARGETS, *sorted(set(table) - set(TARGETS))]
    return {name: share(list(table[name].values())) for name in names if name in table}


def _pairs(replies: Sequence[RatedWriting]) -> Iterator[tuple[RatedWriting, RatedWriting]]:
    """Yield every two replies of one turn of different grades, the better one first."""
    order = (EXCELLENT, BLAND, FLAWED)
    for better in replies:
        for worse in replies:
            if order.index(better.grade) < order.index(worse.grade):
                yield better, worse


def missed(found: dict[str, Figure]) -> list[str]:
    """Return the names of the targets that were missed."""
    return [
        name
        for name, target in TARGETS.items()
        if (value := found[name].value if name in found else None) is not None
        and (value > target if name in AT_MOST else value < target)
    ]


def report_written(names: Sequence[str], reader: Reader, as_json: bool, texts: bool) -> int:
    """Print what the raters make of written dialogues, named by split or file; return 1 if a target is missed."""
    turns = [turn for name in names for turn in rate_writing(dialogues_of(name), reader)]
    found = figures(turns)
    if as_json:
        rows = [_row(reply, texts) for turn in turns for reply in turn]
        table = {name: figure.to_json() for name, figure in found.items()}
        typer.echo(json.dumps({"reader": reader_label(reader), "figures": table, "replies": rows}, ensure_ascii=False))
    else:
        typer.echo(f"reader {reader_label(reader)}; 95% intervals, by dialogue")
        for name, figure in found.items():
            typer.echo(_line(name, figure))
    return int(bool(missed(found)))


def _row(reply: RatedWriting, texts: bool) -> dict[str, Any]:
    """Return one reply's rating as JSON-able data."""
    rated = reply.rated.consensus
    row = {
        "where": reply.message.where, "quality": reply.quality, "flaws": reply.message.flaws,
        "score": round(reply.score, 4), "excellent": rated.excellent, "faults": sorted({f.id for f in rated.faults}),
    }  # fmt: skip
    return {**row, "text": reply.message.text} if texts else row


def _line(name: str, figure: Figure) -> str:
    if figure.value is None:
        return f"{name:28} nothing to measure"
    target = TARGETS.get(name)
    wanted = "" if target is None else f"  ({'at most' if name in AT_MOST else 'at least'} {target:g})"
    return f"{name:28} {figure.value:.4f} [{figure.low or 0.0:.4f}, {figure.high or 0.0:.4f}] of {figure.n}{wanted}"
