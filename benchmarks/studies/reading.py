"""How a reader understands written dialogues: what it hears, what it mishears, and where that changes the game.

Each message is read in the state in which it was said (``simulators.people.written_messages``), and what it does to
the game is compared with what its annotated acts do. A message changes the game by mistake where the two differ in a
ticket's agreement, bid, quote or refusal, or in the talk's end; not where the reader was unsure and the other side
asks back. Intervals are Wilson's, clustered by dialogue. What a reader was tuned on is not what it is reported on:
the corpus' test authors, or a file of one's own.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import copy
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from benchmarks.statistics import Figure, share
from negotiation_env.files import read_lines
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import decision_of, move_of
from negotiation_env.game.state import End, GameState, Move, apply_decision, apply_move, settle
from negotiation_env.language.reading import Reader, Reading
from negotiation_env.language.rule_reader import RULES
from simulators.people.written_dialogues import SPLITS, WrittenDialogue, kind_of, written_dialogues
from simulators.people.written_messages import WrittenMessage, written_messages

YUAN: Final = 2.0
"""Yuan of selling price within which a figure was read right: both price types are rounded when they are said."""
FALSE_STATEMENTS: Final = frozenset(("invented-figure", "wrong-direction", "wrong-date", "wrong-room", "wrong-hotel"))
"""Flaws of a reply that states something false of the card."""
UNCLEAR_STATEMENTS: Final = frozenset(("mistaken-agreement", "price-type-mixup", "overpromise"))
"""Flaws that may or may not go with a false statement: such replies count neither way."""
TARGETS: Final[dict[str, dict[str, float]]] = {
    "rules": {
        "game_changing": 0.18, "false_commitments": 0.005, "false_endings": 0.005, "acceptances_heard": 0.75,
        "asked_back": 0.10, "bids_right": 0.90, "forbidden_heard": 0.60, "false_claims_found": 0.85,
        "true_claims_accused": 0.02,
    },
    "encoder": {
        "game_changing": 0.08, "false_commitments": 0.005, "false_endings": 0.005, "acceptances_heard": 0.90,
        "asked_back": 0.10, "bids_right": 0.96, "forbidden_heard": 0.85, "false_claims_found": 0.85,
        "true_claims_accused": 0.02,
    },
}  # fmt: skip
"""What each reader is to reach: at most for what goes wrong, at least for what is heard."""
AT_LEAST: Final = frozenset(("acceptances_heard", "bids_right", "forbidden_heard", "false_claims_found"))


class Effect(NamedTuple):
    """What a message does to the public state. Prices are selling prices, 0 for none."""

    agreed: tuple[float, ...]
    bid: tuple[float, ...]
    quote: tuple[float, ...]
    """The hotel's standing commitments."""
    refused: tuple[bool, ...]
    ended: bool
    """By a goodbye or by walking away."""
    unsure: tuple[bool, ...]
    """Tickets about which the other side asks back."""
    move: Move | None

    def differs(self, other: Effect) -> list[str]:
        """Return what the other effect does otherwise, tickets that are asked about aside."""
        found = ["end"] if self.ended != other.ended else []
        for k, unsure in enumerate(self.unsure):
            if not unsure:
                for name in ("agreed", "bid", "quote", "refused"):
                    if abs(getattr(self, name)[k] - getattr(other, name)[k]) > YUAN * (name != "refused"):
                        found.append(f"{name}@{k}")
        return found


class Judged(NamedTuple):
    """One message as read and as meant."""

    message: WrittenMessage
    reading: Reading
    meant: Effect
    read: Effect
    wrong: tuple[str, ...]
    """What the reading changes in the game that the message does not."""


def effect_of(acts: Sequence[DialogueAct], message: WrittenMessage) -> Effect:
    """Return what acts do in a message's place; nothing of the message changes."""
    game, count = copy(message.game), len(message.card.tickets)
    move, unsure = None, (False,) * count
    if message.side == "agent":
        move = move_of(acts, message.card, game)
        apply_move(FLOATS, game, move, settle(FLOATS, game, move))
        unsure = tuple(bool(flag or move.unclear) for flag in move.unsure[:count])
    else:
        apply_decision(FLOATS, game, decision_of(acts, game))
    return Effect(
        game.agreed[:count],
        game.bid[:count],
        _committed(game, count),
        game.refused[:count],
        int(game.end) in (End.CLOSED, End.WALKED_AWAY),
        unsure,
        move,
    )


def _committed(game: GameState, count: int) -> tuple[float, ...]:
    return tuple(game.quote[k] if game.quoted[k] else 0.0 for k in range(count))


def judge(messages: Sequence[WrittenMessage], reader: Reader, batch: int = 64) -> list[Judged]:
    """Read messages in batches and compare what was read with what was meant."""
    judged: list[Judged] = []
    for start in range(0, len(messages), batch):
        part = messages[start : start + batch]
        for message, reading in zip(part, reader.read([m.text for m in part], [m.context for m in part]), strict=True):
            meant, read = effect_of(message.said, message), effect_of(reading.acts, message)
            if message.side == "manager":  # a hotel's goodbye is annotated like its breaking off
                meant = meant._replace(ended=any(act.kind is Act.CLOSE for act in message.said) and read.ended)
            judged.append(Judged(message, reading, meant, read, tuple(read.differs(meant))))
    return judged


def measures(judged: Sequence[Judged]) -> dict[str, Figure]:
    """Return the figures by name; see the module."""
    table: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))

    def note(name: str, item: Judged, value: bool) -> None:
        table[name][item.message.where.split(":")[0]].append(value)

    for item in judged:
        message, read, meant = item.message, item.read, item.meant
        note("game_changing", item, bool(item.wrong))
        note(f"game_changing_{message.side}", item, bool(item.wrong))
        note("false_commitments", item, _commits_falsely(item))
        note("false_endings", item, read.ended and not meant.ended)
        if message.side == "manager":
            _note_hotel(item, note)
            continue
        for k in range(len(message.card.tickets)):
            if meant.agreed[k] > message.game.agreed[k]:
                heard = _same(read.agreed[k], meant.agreed[k])
                note("acceptances_heard", item, heard or read.unsure[k])
                if heard or read.unsure[k]:
                    note("asked_back", item, not heard)
            elif any(act.kind is Act.COUNTER and act.ticket == k for act in message.said):
                note("bids_right", item, _same(read.bid[k], meant.bid[k]) and read.agreed[k] <= 0.0)
        if read.move is not None and "overpromise" in message.flaws:
            note("forbidden_heard", item, bool(read.move.overpromise))
        elif read.move is not None:
            note("allowed_accused", item, bool(read.move.overpromise))
    names = [*TARGETS["rules"], *sorted(set(table) - set(TARGETS["rules"]))]
    return {name: share(list(table[name].values())) for name in names if name in table}


def _note_hotel(item: Judged, note: Any) -> None:
    """Note how the hotel's figures were read."""
    for k in range(len(item.message.card.tickets)):
        if any(act.kind in (Act.COUNTER, Act.ACCEPT) and act.ticket == k for act in item.message.said):
            note("quotes_right", item, _same(item.read.quote[k], item.meant.quote[k]))


def _commits_falsely(item: Judged) -> bool:
    """Whether a ticket was read as agreed, or the agent's bid as taken, that was not."""
    message, read, meant = item.message, item.read, item.meant
    for k in range(len(message.card.tickets)):
        if read.agreed[k] > 0.0 and not _same(read.agreed[k], meant.agreed[k]):
            return True
        bid = message.game.bid[k]
        if message.side == "manager" and bid > 0.0 and _same(read.quote[k], bid) and not _same(meant.quote[k], bid):
            return True
    return False


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= YUAN


def by_kind(judged: Iterable[Judged]) -> dict[str, Figure]:
    """Return the share of messages misread so that the game changes, for each kind of annotated act."""
    table: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for item in judged:
        for kind in {kind_of(act) for act in item.message.acts}:
            table[f"{item.message.side} {kind}"][item.message.where.split(":")[0]].append(bool(item.wrong))
    return {kind: share(list(clusters.values())) for kind, clusters in sorted(table.items())}


def _misread(item: Judged) -> dict[str, Any]:
    """Return a misread message as JSON-able data."""
    message = item.message
    return {
        "where": message.where, "side": message.side, "text": message.text, "heard": message.context.heard,
        "quotes": message.context.quotes, "bids": message.context.bids, "meant": message.acts,
        "read": [_plain(act) for act in item.reading.acts], "wrong": item.wrong,
        "confidence": round(item.reading.confidence, 3),
    }  # fmt: skip


def _plain(act: DialogueAct) -> str:
    """Return an act in one word, for people who look for what went wrong."""
    ticket = "" if act.ticket is None else f"@{act.ticket}"
    price = "" if act.price is None else f"={act.price:g}"
    kind = f" {act.price_type.value}" if act.price_type is not None else ""
    detail = f":{act.detail or act.tactic.name.lower()}" if act.detail or act.tactic else ""
    return f"{act.kind.name.lower()}{detail}{ticket}{price}{kind} {act.force.value}"


def study(
    files: Annotated[list[str], typer.Argument(help="Files in the corpus' format, or its splits: train, validation.")],
    reader: Annotated[str, typer.Option(help="The reader: rules, encoder.", show_default=False)] = "rules",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with the misread messages.")] = False,
    texts: Annotated[bool, typer.Option(help="Give the misread messages' texts.")] = True,
) -> int:
    """Measure a reader on written dialogues; exit status 1 if one of its targets is missed."""
    messages = [m for name in files for dialogue in _dialogues(name) for m in written_messages(dialogue)]
    judged = judge(messages, _reader(reader))
    figures = measures(judged)
    if as_json:
        record: dict[str, Any] = {name: figure.to_json() for name, figure in figures.items()}
        record |= {"reader": reader, "messages": len(judged)}
        record["by_kind"] = {kind: figure.to_json() for kind, figure in by_kind(judged).items()}
        if texts:
            record["misread"] = [_misread(item) for item in judged if item.wrong]
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    else:
        print(f"{reader} on {len(judged)} messages of {', '.join(files)}")
        for name, figure in figures.items():
            print(_line(name, figure, TARGETS.get(reader, {}).get(name)))
    return int(any(_misses(name, figure, reader) for name, figure in figures.items()))


def _reader(name: str) -> Reader:
    return RULES


def _dialogues(name: str) -> Sequence[WrittenDialogue]:
    if name in SPLITS:
        return written_dialogues(name)
    return tuple(read_lines(Path(name), WrittenDialogue))


def _misses(name: str, figure: Figure, reader: str) -> bool:
    target = TARGETS.get(reader, {}).get(name)
    if target is None or figure.value is None:
        return False
    return figure.value < target if name in AT_LEAST else figure.value > target


def _line(name: str, figure: Figure, target: float | None) -> str:
    if figure.value is None:
        return f"{name:22} nothing to measure"
    low, high = figure.low or 0.0, figure.high or 0.0
    wanted = "" if target is None else f"  ({'at least' if name in AT_LEAST else 'at most'} {target:g})"
    return f"{name:22} {figure.value:.4f} [{low:.4f}, {high:.4f}] of {figure.n}{wanted}"
