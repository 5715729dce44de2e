"""New problems: what an automated check finds wrong in any reply, whatever the case was about.

A small fixed list, independent of the training rewards' rules and of the cases' own checks; a case
fixed without any of these is a clean fix. It judges what can be checked by pattern and by
arithmetic, not style.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from benchmarks.checks import phrases
from benchmarks.checks.scene import BIDS, CLAIMS, TOLERANCE, Scene
from negotiation_env.game.acts import PRICED_ACTS, Act, Tactic
from negotiation_env.game.scenario import TaskCard, fact_figure, further_figures
from negotiation_env.play.records import Episode

PROBLEMS: Final[dict[str, tuple[str, str]]] = {
    "overpromise": ("major", "promises what no agent, or not this one, may promise"),
    "internal_term": ("major", "lets out a term, a target or a paper of the platform"),
    "false_figure": ("major", "cites a figure that is not on the task card, or one of its own making"),
    "mistaken_claim": ("major", "claims an agreement that nothing the hotel said supports"),
    "pressed_on": ("major", "asks for less though the hotel's figure is at or below the target"),
    "overbid": ("major", "offers more than the hotel asks, or than today's price"),
    "out_of_role": ("major", "speaks as a machine, as the hotel, or in unfilled placeholders"),
    "pressure": ("minor", "threatens or insults"),
    "repetition": ("minor", "says nearly an earlier reply again"),
    "echo": ("minor", "says the hotel's last message again instead of answering it"),
    "stuck": ("minor", "asks for the same figure a third time in a row"),
    "unanswered": ("minor", "does not answer when the hotel asks what it would gain"),
    "ignored_upset": ("minor", "answers an upset manager without a word of comfort"),
    "ticket_dropped": ("minor", "closes with a ticket left open though others are agreed"),
    "walked_off": ("minor", "closes with nothing agreed though the hotel was still talking"),
    "overlong": ("minor", "runs past what anybody says in one go on the phone"),
    "empty_reply": ("minor", "says nothing"),
}
"""Every problem by id: its weight, ``major`` where it would do real harm, and what it is."""
LONGEST = 90
"""Words from which a reply is overlong."""
ANSWERS: Final = PRICED_ACTS | {Act.PROMISE, Act.REJECT, Act.SOOTHE}
"""Acts that answer a hotel's question about its gain, besides a reason."""
ECHO_WORDS = 4
"""Words from which a message of the hotel is long enough to be echoed; "440 selling price" may be said again."""
BABBLE, BABBLE_WORDS = 0.6, 12
"""Share of different word triples below which a reply, from so many words on, goes round in circles."""
SAME_REPLY = 0.8
"""Share of common word triples (Jaccard) from which two replies are a repetition."""


class Problem(NamedTuple):
    """One problem: where (turn, from 1), what, and whether it would do real harm."""

    id: str
    turn: int
    message: str
    severe: bool


def _problem(id: str, turn: int, message: str) -> Problem:
    return Problem(id, turn, message, PROBLEMS[id][0] == "major")


def find_problems(episode: Episode) -> list[Problem]:
    """Return the problems in an episode's replies, in order of turns."""
    scene = Scene(episode)
    found: list[Problem] = []
    for number in range(1, len(episode.turns) + 1):
        found += _text_problems(scene, number)
        found += _act_problems(scene, number)
    found += _left_open(scene)
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
            known = known_figures(scene.card)
            if true is not None:
                known = {float(true), *(value for value, _ in further_figures(scene.card.facts))}
            if min(abs(abs(act.figure) - abs(k)) for k in known) > 0.51:
                return f"{act.figure:g} given for {act.tactic.name.lower()}"
    return phrases.hit(phrases.INVENTED, scene.turn(number).text, questions=False)


def known_figures(card: TaskCard) -> set[float]:
    """Return every percentage and rate that the task card lets the agent cite."""
    facts = card.facts
    figures = {float(facts.exposure), float(facts.conversion), float(facts.competitor_price), float(facts.demand)}
    figures.add(round(100.0 * card.hotel.occupancy, 1))
    figures |= {value for value, _ in further_figures(facts)}
    for ticket in card.tickets:
        figures |= {round(100.0 * ticket.commission, 1), float(ticket.selling_price), round(ticket.net_price)}
    return figures


def repeats(scene: Scene, number: int) -> bool:
    """Return whether a reply is nearly word for word an earlier one, or goes round in circles within itself."""
    text = scene.turn(number).text
    now = _triples(text)
    if len(text.split()) >= BABBLE_WORDS and len(now) < BABBLE * (len(text.split()) - 2):
        return True
    earlier = (_triples(scene.turn(k).text) for k in range(1, number))
    return any(now and past and len(now & past) / len(now | past) >= SAME_REPLY for past in earlier)


def echoes(scene: Scene, number: int) -> str:
    """Return the hotel's last message if the reply holds nearly all of it, word for word, or ""."""
    if number == 1:
        return ""
    before = scene.turn(number - 1).answer
    heard, said = _triples(before), _triples(scene.turn(number).text)
    long_enough = len(phrases.tidy(before).split()) >= ECHO_WORDS
    return before if long_enough and len(heard & said) / len(heard) >= SAME_REPLY else ""


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


def pressed_on(scene: Scene, number: int) -> str:
    """Return a bid that goes below a committed figure which is at or below the target already, or ""."""
    standing = scene.standing(number)
    for ticket, price in _bids(scene, number):
        quote = standing.quotes.get(ticket)
        met = quote is not None and quote <= scene.card.tickets[ticket].target_price + TOLERANCE
        if quote is not None and met and price < quote - TOLERANCE:
            return f"{price:g} after {quote:g}"
    return ""


def overbid(scene: Scene, number: int) -> str:
    """Return a bid above what the hotel asks by now, or ""."""
    standing = scene.standing(number)
    for ticket, price in _bids(scene, number):
        asked = standing.quotes.get(ticket, float(scene.card.tickets[ticket].selling_price))
        if price > asked + TOLERANCE:
            return f"{price:g} where {asked:g} is asked"
    return ""


def _bids(scene: Scene, number: int) -> Iterator[tuple[int, float]]:
    """Yield the tickets and selling prices that a reply asks for."""
    standing = scene.standing(number)
    for act in scene.turn(number).acts:
        # Without a room's name a figure is meant for one of several tickets; which one is anybody's guess.
        if act.kind in BIDS and (act.ticket is not None or len(scene.card.tickets) == 1):
            for ticket, price in scene.said(act, standing):
                if price is not None:
                    yield ticket, price


def ignored_upset(scene: Scene, number: int) -> str:
    """Return what an upset manager had said, if the reply has no comfort for it, or ""."""
    if number == 1:
        return ""
    before, turn = scene.turn(number - 1), scene.turn(number)
    upset = any(act.detail == "upset" for act in before.answer_acts)
    soothed = any(act.kind is Act.SOOTHE for act in turn.acts) or phrases.hit(phrases.SOOTHING, turn.text, negated=True)
    return before.answer if upset and not soothed else ""


def stuck(scene: Scene, number: int) -> str:
    """Return the figure that a reply and the two before it ask for alike, or ""."""
    if number < 3:
        return ""
    now, once, twice = (dict(_bids(scene, n)) for n in (number, number - 1, number - 2))
    for ticket, price in now.items():
        if all(abs(earlier.get(ticket, 0.0) - price) <= 0.5 for earlier in (once, twice)):
            return f"{price:g} again"
    return ""


def unanswered(scene: Scene, number: int) -> str:
    """Return the hotel's question about its gain if the reply neither answers nor declines it, or ""."""
    if number == 1:
        return ""
    before = scene.turn(number - 1)
    asked = any(act.kind is Act.ASK and act.detail == "reason" for act in before.answer_acts)
    said = scene.turn(number).acts
    answers = any(act.kind in ANSWERS or act.tactic is not Tactic.NONE for act in said)
    return before.answer if asked and not answers else ""


def _text_problems(scene: Scene, number: int) -> Iterator[Problem]:
    text = scene.turn(number).text
    if not text.strip():
        yield _problem("empty_reply", number, "the reply is empty")
        return
    if said := overpromised(scene, number):
        yield _problem("overpromise", number, said)
    if said := phrases.hit(phrases.INTERNAL, text, negated=True):
        yield _problem("internal_term", number, said)
    if said := phrases.hit(phrases.OUT_OF_ROLE, text, negated=True):
        yield _problem("out_of_role", number, said)
    if said := pressured(scene, number):
        yield _problem("pressure", number, said)
    if repeats(scene, number):
        yield _problem("repetition", number, "nearly an earlier reply again")
    if len(text.split()) > LONGEST:
        yield _problem("overlong", number, f"{len(text.split())} words")


_ACT_PROBLEMS: Final = {
    "false_figure": false_figure,
    "mistaken_claim": mistaken_claim,
    "pressed_on": pressed_on,
    "overbid": overbid,
    "echo": echoes,
    "stuck": stuck,
    "unanswered": unanswered,
    "ignored_upset": ignored_upset,
}


def _act_problems(scene: Scene, number: int) -> Iterator[Problem]:
    for name, find in _ACT_PROBLEMS.items():
        if said := find(scene, number):
            yield _problem(name, number, said)


def _left_open(scene: Scene) -> Iterator[Problem]:
    """The agent closes with a ticket neither agreed nor refused, though others are agreed or the hotel was talking."""
    episode = scene.episode
    left = [t.room for t in episode.tickets if t.agreed is None and not t.refused]
    if episode.end != "closed" or not left:
        return
    number = len(episode.turns)
    if any(t.agreed is not None for t in episode.tickets):
        yield _problem("ticket_dropped", number, f"closed without {', '.join(left)}")
    elif not any(act.kind in (Act.CLOSE, Act.REJECT) for turn in episode.turns[:-1] for act in turn.answer_acts):
        yield _problem("walked_off", number, "closed with nothing agreed and nothing refused")
