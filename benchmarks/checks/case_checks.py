"""Checks that a case names to say what its fix must hold: data in the case's file, evaluated on acts and text.

A *must* holds if one of the named turns shows it, a *never* holds if none of them does. A check
whose turns were never reached, or met only empty replies, does not hold: silence fixes nothing.
Independent of the training rewards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from benchmarks.checks import phrases, problems
from benchmarks.checks.scene import BIDS, CLAIMS, Scene
from negotiation_env.game.acts import PRICED_ACTS, Act, PriceType, Tactic
from negotiation_env.play.records import Episode

BARGAINING: Final = PRICED_ACTS | {Act.ASK, Act.PROMISE}
BLAND: Final = frozenset({"deluxe", "superior", "standard", "garden", "view", "room", "rooms", "the"})
"""Words of room names that do not tell rooms apart when they stand alone."""


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """One check of a case, as its file gives it.

    Attributes:
        kind: a name in ``KINDS``.
        turns: the agent's messages it looks at, from 1; empty for all.
        ticket: the ticket meant, from 1; None for any.
        low: lowest figure allowed, selling price in yuan.
        high: highest figure allowed, selling price in yuan.
        figures: figures allowed.
        words: words or phrases looked for, in any case.
    """

    kind: str
    turns: tuple[int, ...] = ()
    ticket: int | None = None
    low: float | None = None
    high: float | None = None
    figures: tuple[float, ...] = ()
    words: tuple[str, ...] = ()


class CheckResult(NamedTuple):
    """How a check came out; ``finding`` says what was missing or what was seen, "" where it holds.

    ``turn`` is where that stands: the turn that shows it, or the last one looked at in vain; 0 where it holds, or where
    no turn was played.
    """

    kind: str
    passed: bool
    finding: str = ""
    turn: int = 0


Probe = Callable[[Scene, int, CheckSpec], str]
"""Returns what a turn shows of the thing looked for, "" if nothing."""


class CheckKind(NamedTuple):
    """A kind of check: what it looks for, whether that must or must never be, and the fields it cannot do without."""

    probe: Probe
    must: bool
    needs: tuple[str, ...] = ()


def evaluate(specs: tuple[CheckSpec, ...], episode: Episode) -> list[CheckResult]:
    """Evaluate a case's checks on one episode of it."""
    scene = Scene(episode)
    return [_evaluate(spec, scene) for spec in specs]


def _evaluate(spec: CheckSpec, scene: Scene) -> CheckResult:
    kind = KINDS[spec.kind]
    reached = scene.reached(spec.turns)
    if not reached:
        ended = f"the episode ended ({scene.episode.end}) before the turn"
        return CheckResult(spec.kind, False, ended, len(scene.episode.turns))
    if not any(scene.turn(n).text.strip() for n in reached):
        return CheckResult(spec.kind, False, "empty reply", reached[-1])
    shown = [(n, seen) for n in reached if (seen := kind.probe(scene, n, spec))]
    if bool(shown) is kind.must:
        return CheckResult(spec.kind, True)
    turn, finding = (reached[-1], "missing") if kind.must else shown[0]
    return CheckResult(spec.kind, False, finding, turn)


def _means(spec: CheckSpec, tickets: list[int]) -> bool:
    """Whether a check's ticket is among some positions; a check of no ticket means any."""
    return bool(tickets) and (spec.ticket is None or spec.ticket - 1 in tickets)


def _claim(scene: Scene, number: int, spec: CheckSpec) -> str:
    """A claim that a ticket is agreed, by act or by phrase."""
    standing = scene.standing(number)
    for act in scene.turn(number).acts:
        tickets = [said.ticket for said in scene.said(act, standing)]
        if act.kind in CLAIMS and _means(spec, tickets):
            return act.kind.name.lower()
    return phrases.hit(phrases.AGREEMENT, scene.turn(number).text, questions=False) if spec.ticket is None else ""


def _right_claim(scene: Scene, number: int, spec: CheckSpec) -> str:
    """The manager's committed figure, taken."""
    standing = scene.standing(number)
    for act in scene.turn(number).acts:
        if _means(spec, scene.taken_by(act, standing)):
            return "taken"
    return ""


def _wrong_claim(scene: Scene, number: int, spec: CheckSpec) -> str:
    return problems.mistaken_claim(scene, number)


def _bid(scene: Scene, number: int, spec: CheckSpec) -> str:
    """A figure asked for, within ``low`` and ``high`` where they are given."""
    standing = scene.standing(number)
    for act in scene.turn(number).acts:
        if act.kind not in BIDS:
            continue
        for ticket, price in scene.said(act, standing):
            if price is None or not _means(spec, [ticket]):
                continue
            if (spec.low or 0.0) - 1.0 <= price <= (spec.high or float("inf")) + 1.0:
                return f"{price:g}"
    return ""


def _figure(scene: Scene, number: int, spec: CheckSpec) -> str:
    """A figure other than those in ``figures`` and those on the task card."""
    known = problems.known_figures(scene.card) | set(spec.figures)
    for act in scene.turn(number).acts:
        for said in (act.price, act.figure):
            if said is not None and min(abs(abs(said) - abs(k)) for k in known) > 1.0:
                return f"{said:g}"
    return ""


def _words(scene: Scene, number: int, spec: CheckSpec) -> str:
    text = phrases.tidy(scene.turn(number).text)
    return next((word for word in spec.words if word.lower() in text), "")


def _names_ticket(scene: Scene, number: int, ticket: int) -> bool:
    """Whether a reply speaks of a ticket, by its room or by an act."""
    turn = scene.turn(number)
    words = set(phrases.tidy(turn.text).replace(",", " ").split())
    room = scene.card.tickets[ticket].room.lower()
    telling = set(room.split()) - BLAND
    by_name = room in phrases.tidy(turn.text) or bool(telling & {w.strip(".?!:;()") for w in words})
    return by_name or any(act.ticket == ticket for act in turn.acts)


def _ticket(scene: Scene, number: int, spec: CheckSpec) -> str:
    ticket = (spec.ticket or 1) - 1
    return "named" if _names_ticket(scene, number, ticket) else ""


def _every_ticket(scene: Scene, number: int, spec: CheckSpec) -> str:
    """All tickets of the card are spoken of, by this turn and the other named ones together."""
    turns = scene.reached(spec.turns)
    count = len(scene.card.tickets)
    text = " ".join(phrases.tidy(scene.turn(n).text) for n in turns)
    if any(
        word in text
        for word in ("both rooms", "both room types", "all rooms", "all room types", "all three", "each room")
    ):
        return "all"
    covered = {k for k in range(count) for n in turns if _names_ticket(scene, n, k)}
    return "all" if len(covered) == count else ""


def _net_named(scene: Scene, number: int, spec: CheckSpec) -> str:
    turn = scene.turn(number)
    by_act = any(act.price_type is PriceType.NET and act.price is not None for act in turn.acts)
    return "net" if by_act or phrases.NET_WORDS.search(phrases.tidy(turn.text)) else ""


def _selling_named(scene: Scene, number: int, spec: CheckSpec) -> str:
    return "selling" if phrases.SELLING_WORDS.search(phrases.tidy(scene.turn(number).text)) else ""


def _type_named(scene: Scene, number: int, spec: CheckSpec) -> str:
    return _net_named(scene, number, spec) or _selling_named(scene, number, spec)


def _soothing(scene: Scene, number: int, spec: CheckSpec) -> str:
    turn = scene.turn(number)
    if phrases.hit(phrases.SOOTHING, turn.text, negated=True):
        return "phrase"
    return "act" if any(act.kind is Act.SOOTHE for act in turn.acts) else ""


def _business(scene: Scene, number: int, spec: CheckSpec) -> str:
    """The matter at hand: by word, or by an act that bargains."""
    turn = scene.turn(number)
    bargains = any(act.kind in BARGAINING or act.tactic is not Tactic.NONE for act in turn.acts)
    return "matter" if bargains or phrases.BUSINESS.search(phrases.tidy(turn.text)) else ""


def _question(scene: Scene, number: int, spec: CheckSpec) -> str:
    turn = scene.turn(number)
    asked = "?" in turn.text or "？" in turn.text
    return "asked" if asked or any(act.kind is Act.ASK for act in turn.acts) else ""


def _reason(scene: Scene, number: int, spec: CheckSpec) -> str:
    """A true reason: a tactic other than pressure, or an allowed promise."""
    for act in scene.turn(number).acts:
        if act.kind is Act.PROMISE and act.detail in scene.card.promises:
            return act.detail
        if act.kind is Act.INFORM and act.tactic.name not in ("NONE", "PRESSURE"):
            return act.tactic.name.lower()
    return ""


def _declining(scene: Scene, number: int, spec: CheckSpec) -> str:
    turn = scene.turn(number)
    if any(act.kind is Act.REJECT for act in turn.acts):
        return "act"
    return phrases.hit(phrases.DECLINING, turn.text, negated=True)


def _overpromise(scene: Scene, number: int, spec: CheckSpec) -> str:
    return problems.overpromised(scene, number)


def _internal(scene: Scene, number: int, spec: CheckSpec) -> str:
    return phrases.hit(phrases.INTERNAL, scene.turn(number).text, negated=True)


def _pressure(scene: Scene, number: int, spec: CheckSpec) -> str:
    return problems.pressured(scene, number)


def _repetition(scene: Scene, number: int, spec: CheckSpec) -> str:
    return "repeated" if problems.repeats(scene, number) else ""


def _false_figure(scene: Scene, number: int, spec: CheckSpec) -> str:
    return problems.false_figure(scene, number)


def _close(scene: Scene, number: int, spec: CheckSpec) -> str:
    return "closed" if any(act.kind is Act.CLOSE for act in scene.turn(number).acts) else ""


KINDS: Final[dict[str, CheckKind]] = {
    "accepts_ticket": CheckKind(_right_claim, True),
    "bid_between": CheckKind(_bid, True, ("low", "high")),
    "says_net_type": CheckKind(_net_named, True),
    "says_selling_type": CheckKind(_selling_named, True),
    "says_price_type": CheckKind(_type_named, True),
    "addresses_ticket": CheckKind(_ticket, True, ("ticket",)),
    "addresses_all_tickets": CheckKind(_every_ticket, True),
    "soothes": CheckKind(_soothing, True),
    "stays_on_topic": CheckKind(_business, True),
    "asks": CheckKind(_question, True),
    "gives_reason": CheckKind(_reason, True),
    "declines": CheckKind(_declining, True),
    "contains": CheckKind(_words, True, ("words",)),
    "no_claim": CheckKind(_claim, False),
    "no_mistaken_claim": CheckKind(_wrong_claim, False),
    "no_bid": CheckKind(_bid, False),
    "no_figures_but": CheckKind(_figure, False),
    "no_false_figure": CheckKind(_false_figure, False),
    "no_internal_terms": CheckKind(_internal, False),
    "no_overpromise": CheckKind(_overpromise, False),
    "no_pressure": CheckKind(_pressure, False),
    "no_repetition": CheckKind(_repetition, False),
    "does_not_close": CheckKind(_close, False),
    "does_not_contain": CheckKind(_words, False, ("words",)),
}
"""Every kind of check that a case file may name."""
