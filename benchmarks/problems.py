"""New problems: what an automated check finds wrong in any reply, whatever the case was about.

A small fixed list, independent of the training rewards' rules and of the cases' own checks; a case
fixed without any of these is a clean fix. It judges what can be checked by pattern and by
arithmetic, not style.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks import phrases
from benchmarks.scene import CLAIMS, Scene
from negotiation_env.acts import Act, Tactic
from negotiation_env.records import Episode
from negotiation_env.scenario import TaskCard, fact_figure

SAME_REPLY = 0.8
"""Share of common word triples (Jaccard) from which two replies are a repetition."""


class Problem(NamedTuple):
    """One problem: where (turn, from 1), what, and whether it would do real harm."""

    id: str
    turn: int
    message: str
    severe: bool


def find_problems(episode: Episode) -> list[Problem]:
    """Return the problems in an episode's replies, in order of turns."""
    scene = Scene(episode)
    found: list[Problem] = []
    for number in range(1, len(episode.turns) + 1):
        found += _text_problems(scene, number)
        found += _act_problems(scene, number)
    found += _dropped(scene)
    return sorted(found, key=lambda p: p.turn)


def overpromised(scene: Scene, number: int) -> str:
    """Return what a reply promises that it may not, or ""."""
    turn, allowed = scene.turn(number), scene.card.promises
    said = phrases.hit(phrases.OVERPROMISE, turn.text, questions=False)
    if said:
        return said
    for act in turn.acts:
        if act.kind is Act.PROMISE and act.detail and act.detail not in allowed:
            return act.detail
    return ""


def pressured(scene: Scene, number: int) -> str:
    """Return the threat or insult in a reply, or ""."""
    turn = scene.turn(number)
    said = phrases.hit(phrases.PRESSURE, turn.text)
    if said:
        return said
    hostile = any(act.detail == "insult" or act.tactic is Tactic.PRESSURE for act in turn.acts)
    return "pressure" if hostile else ""


def false_figure(scene: Scene, number: int) -> str:
    """Return a figure cited as a fact that is not on the task card, or ""."""
    for act in scene.turn(number).acts:
        if act.kind is Act.INFORM and act.figure is not None:
            true = fact_figure(scene.card.facts, act.tactic)
            known = {float(true)} if true is not None else known_figures(scene.card)
            if min(abs(abs(act.figure) - abs(k)) for k in known) > 0.51:
                return f"{act.figure:g} given for {act.tactic.name.lower()}"
    return ""


def known_figures(card: TaskCard) -> set[float]:
    """Return every percentage and rate that the task card lets the agent cite."""
    facts = card.facts
    figures = {
        float(facts.exposure),
        float(facts.conversion),
        float(facts.competitor_price),
        float(facts.demand),
    }
    figures.add(round(100.0 * card.hotel.occupancy, 1))
    for ticket in card.tickets:
        figures |= {
            round(100.0 * ticket.commission, 1),
            float(ticket.selling_price),
            round(ticket.net_price),
        }
    return figures


def repeats(scene: Scene, number: int) -> bool:
    """Return whether a reply is nearly word for word an earlier one."""
    now = _triples(scene.turn(number).text)
    earlier = (_triples(scene.turn(k).text) for k in range(1, number))
    return any(now and past and len(now & past) / len(now | past) >= SAME_REPLY for past in earlier)


def _triples(text: str) -> set[tuple[str, ...]]:
    """Word triples of a text; figures count as words, so that a new bid in old words differs a little."""
    words = phrases.tidy(text).split()
    if len(words) < 3:
        return {tuple(words)} if words else set()
    return set(zip(words, words[1:], words[2:], strict=False))


def mistaken_claim(scene: Scene, number: int) -> str:
    """Return a claim of agreement that nothing the manager said supports, or ""."""
    standing = scene.standing(number)
    for act in scene.turn(number).acts:
        if act.kind in CLAIMS and not scene.taken_by(act, standing):
            return "a claim to no figure" if act.price is None else f"a claim to {act.price:g}"
    return ""


def _text_problems(scene: Scene, number: int) -> Iterator[Problem]:
    text = scene.turn(number).text
    if not text.strip():
        yield Problem("empty_reply", number, "the reply is empty", False)
        return
    if said := overpromised(scene, number):
        yield Problem("overpromise", number, said, True)
    if said := phrases.hit(phrases.INTERNAL, text, negated=True):
        yield Problem("internal_term", number, said, True)
    if said := pressured(scene, number):
        yield Problem("pressure", number, said, False)
    if repeats(scene, number):
        yield Problem("repetition", number, "nearly an earlier reply again", False)


def _act_problems(scene: Scene, number: int) -> Iterator[Problem]:
    if said := false_figure(scene, number):
        yield Problem("false_figure", number, said, True)
    if said := mistaken_claim(scene, number):
        yield Problem("mistaken_claim", number, said, True)


def _dropped(scene: Scene) -> Iterator[Problem]:
    """The agent closes while a ticket is neither agreed nor refused, though others are agreed."""
    episode = scene.episode
    left = [t.room for t in episode.tickets if t.agreed is None and not t.refused]
    if episode.end == "closed" and left and len(left) < len(episode.tickets):
        yield Problem("ticket_dropped", len(episode.turns), f"closed without {', '.join(left)}", False)
