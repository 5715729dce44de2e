"""How a reader understands written dialogues: what it hears, what it mishears, and where that changes the game.

Each message is read in the state in which it was said (``simulators.people.written_messages``), and what it does to
the game is compared with what its annotated acts do. A message changes the game by mistake where the two differ in a
ticket's agreement, bid, quote or refusal, or in the talk's end; not where the reader was unsure and the other side
asks back. Intervals are Wilson's, clustered by dialogue. What a reader was tuned on is not what it is reported on:
the corpus' test authors, or a file of one's own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from benchmarks.statistics import Figure, share
from negotiation_env.files import read_lines
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.language.claims import find_claims
from negotiation_env.play.registry import load_reader
from simulators.people.reading_effects import ReadMessage, commits_falsely, judge, same_figure
from simulators.people.written_dialogues import SPLITS, WrittenDialogue, kind_of, written_dialogues
from simulators.people.written_messages import written_messages

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


def measures(judged: Sequence[ReadMessage]) -> dict[str, Figure]:
    """Return the figures by name; see the module."""
    table: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))

    def note(name: str, item: ReadMessage, value: bool) -> None:
        table[name][item.message.where.split(":")[0]].append(value)

    for item in judged:
        message, read, meant = item.message, item.read, item.meant
        note("game_changing", item, bool(item.wrong))
        note(f"game_changing_{message.side}", item, bool(item.wrong))
        note("false_commitments", item, commits_falsely(item))
        note("false_endings", item, read.ended and not meant.ended)
        if message.side == "manager":
            _note_hotel(item, note)
            continue
        for k in range(len(message.card.tickets)):
            if meant.agreed[k] > message.game.agreed[k]:
                heard = same_figure(read.agreed[k], meant.agreed[k])
                note("acceptances_heard", item, heard or read.unsure[k])
                if heard or read.unsure[k]:
                    note("asked_back", item, not heard)
            elif message.game.open[k] and any(act.kind is Act.COUNTER and act.ticket == k for act in message.said):
                note("bids_right", item, same_figure(read.bid[k], meant.bid[k]) and read.agreed[k] <= 0.0)
        if read.move is not None and "overpromise" in message.flaws:
            note("forbidden_heard", item, bool(read.move.overpromise))
        elif read.move is not None:
            note("allowed_accused", item, bool(read.move.overpromise))
        _note_claims(item, note)
    names = [*TARGETS["rules"], *sorted(set(table) - set(TARGETS["rules"]))]
    return {name: share(list(table[name].values())) for name in names if name in table}


def _note_claims(item: ReadMessage, note: Any) -> None:
    """Note whether false statements were found, and true ones accused."""
    message = item.message
    flaws = set(message.flaws)
    accused = any(not c.true for c in find_claims(message.text, message.card, message.game, message.earlier))
    if flaws & FALSE_STATEMENTS:
        note("false_claims_found", item, accused)
    elif not flaws & UNCLEAR_STATEMENTS:
        note("true_claims_accused", item, accused)


def _note_hotel(item: ReadMessage, note: Any) -> None:
    """Note how the hotel's figures were read."""
    for k in range(len(item.message.card.tickets)):
        if any(act.kind in (Act.COUNTER, Act.ACCEPT) and act.ticket == k for act in item.message.said):
            note("quotes_right", item, same_figure(item.read.quote[k], item.meant.quote[k]))


def by_kind(judged: Iterable[ReadMessage]) -> dict[str, Figure]:
    """Return the share of messages misread so that the game changes, for each kind of annotated act."""
    table: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for item in judged:
        for kind in {kind_of(act) for act in item.message.acts}:
            table[f"{item.message.side} {kind}"][item.message.where.split(":")[0]].append(bool(item.wrong))
    return {kind: share(list(clusters.values())) for kind, clusters in sorted(table.items())}


def _misread(item: ReadMessage) -> dict[str, Any]:
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
    messages = [m for name in files for dialogue in dialogues_of(name) for m in written_messages(dialogue)]
    judged = judge(messages, load_reader(reader))
    figures = measures(judged)
    if as_json:
        record: dict[str, Any] = {name: figure.to_json() for name, figure in figures.items()}
        record |= {"reader": reader, "messages": len(judged)}
        record["by_kind"] = {kind: figure.to_json() for kind, figure in by_kind(judged).items()}
        if texts:
            record["misread"] = [_misread(item) for item in judged if item.wrong]
        typer.echo(json.dumps(record, ensure_ascii=False))
    else:
        print(f"{reader} on {len(judged)} messages of {', '.join(files)}")
        for name, figure in figures.items():
            print(_line(name, figure, TARGETS.get(reader.partition(":")[0], {}).get(name)))
    return int(any(_misses(name, figure, reader) for name, figure in figures.items()))


def dialogues_of(name: str) -> Sequence[WrittenDialogue]:
    """Return the dialogues of a split, or of a file in the corpus' format."""
    if name in SPLITS:
        return written_dialogues(name)
    return tuple(read_lines(Path(name), WrittenDialogue))


def _misses(name: str, figure: Figure, reader: str) -> bool:
    target = TARGETS.get(reader.partition(":")[0], {}).get(name)
    if target is None or figure.value is None:
        return False
    return figure.value < target if name in AT_LEAST else figure.value > target


def _line(name: str, figure: Figure, target: float | None) -> str:
    if figure.value is None:
        return f"{name:22} nothing to measure"
    low, high = figure.low or 0.0, figure.high or 0.0
    wanted = "" if target is None else f"  ({'at least' if name in AT_LEAST else 'at most'} {target:g})"
    return f"{name:22} {figure.value:.4f} [{low:.4f}, {high:.4f}] of {figure.n}{wanted}"
