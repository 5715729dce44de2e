"""The rule-based hotel manager, and one who also asks for what no agent may give.

Dynamics decide, in the light of what the agent's words are worth (``content``); the phrase book words it. Before it
stands the answer to what the agent has asked beside the rate (``subjects``), and now and then a remark on what weighs
on the manager (``concerns``). A seat holds everything private: the persona, its concern, the dynamics' state (limits,
mood, trust), and the phrase book with the persona's own templates.
``DemandingManager`` now and then puts a request
before its answer: a guarantee, a secret, small talk (``phrases/requests.toml``). That changes no decision: where the
message would read as another one with it, it is left out. A policy that is to decline meets it in training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

from negotiation_env.errors import UsageError
from negotiation_env.files import read_toml
from negotiation_env.game.acts import MAX_TICKETS, Act, DialogueAct
from negotiation_env.game.lanes import FLOATS, Trio
from negotiation_env.game.scenario import Scenario, card_numbers
from negotiation_env.game.state import CONDITION_NAMES, Decision, GameState, Move, decision_acts
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.language.wording import PhraseBook, load_phrase_book, word
from negotiation_env.play.protocols import ManagerReply, Negotiation
from negotiation_env.seeds import CHANNELS
from simulators.concerns import concern, concerns, draw_concern, in_words
from simulators.content import Memory, content_of, hear, telling_words
from simulators.dynamics import Dynamics, Heard, Seat
from simulators.personas import Persona, all_personas, load_persona, weight_edges
from simulators.subjects import NO_ASIDE, Aside, OtherSubjects

BOOK_PATH = Path(__file__).parent / "phrases" / "manager.toml"


@cache
def manager_book() -> PhraseBook:
    """Return the shipped phrase book of the manager's side."""
    return load_phrase_book(BOOK_PATH)


class Remark(NamedTuple):
    """What a manager says of its concern before it answers."""

    line: str
    """As in ``concerns.toml``, the house's words not yet filled in."""
    why: Literal["shows", "eased", "inflamed"]


@dataclass(slots=True)
class ManagerSeat:
    """The manager's private state in one negotiation."""

    persona: Persona
    state: Seat
    dynamics: Dynamics
    book: PhraseBook
    tone: str | None
    """The book's tone that the persona speaks in, None for its plain phrases."""
    concern: str
    """What weighs on the manager, see ``concerns``."""
    memory: Memory
    subjects: OtherSubjects
    """What it has said and asked beside the rate."""
    remarked: list[str] = field(default_factory=list)
    """Remarks already made."""
    remark: Remark | None = None
    """What is said of the concern in the newest answer."""
    aside: Aside = NO_ASIDE
    """What is said of other subjects in the newest answer."""

    @property
    def persona_name(self) -> str:
        """Name of the persona, for the episode's record."""
        return self.persona.name


@dataclass(frozen=True, slots=True)
class _Cast:
    """A persona with what it needs at the table: where it stands in which dynamics, and its phrase book."""

    persona: Persona
    dynamics: Dynamics
    position: float
    book: PhraseBook


class RuleManager:
    """A hotel manager without a language model; implements ``protocols.Manager``.

    Args:
        personas: whom to draw from, by weight; None for every shipped and plugged-in persona.
    """

    name = "rules"

    def __init__(self, personas: Sequence[Persona] | None = None) -> None:
        self.personas = tuple(all_personas() if personas is None else personas)
        if len({persona.name for persona in self.personas}) != len(self.personas):
            raise UsageError("expected personas of different names, got a repeated one: rename it")
        weight_edges(self.personas)  # raises if nobody can be drawn
        traits, weights, houses = zip(*((p.traits(), p.weight, p.houses()) for p in self.personas), strict=True)
        self.dynamics = Dynamics(traits, weights, houses)
        """The decisions without words, over ``personas`` in order; the numeric environment's manager."""
        book = manager_book()
        self._cast = [_Cast(p, self.dynamics, float(i), _own_book(book, p)) for i, p in enumerate(self.personas)]
        self._by_name = {cast.persona.name: cast for cast in self._cast}

    def start(self, scenario: Scenario, persona: object | None = None) -> ManagerSeat:
        """Seat a persona; None draws one from the scenario's seed alone.

        Raises:
            UsageError: ``persona`` is no known name, path or Persona.
            DataFileError: the file is no persona.
        """
        numbers, floors = card_numbers(scenario.card), _padded(scenario.brief.floors)
        if persona is None:
            state = self.dynamics.start(FLOATS, scenario.seed, numbers, floors)
            cast = self._cast[int(state.persona)]
        else:
            cast = self._find(persona)
            state = cast.dynamics.start(FLOATS, scenario.seed, numbers, floors, cast.position)
        tone = cast.persona.tone if cast.persona.tone in cast.book.tones else None
        weighs = draw_concern(scenario.card, scenario.seed, cast.persona.concerns)
        condition = CONDITION_NAMES[int(state.condition) - 1] if state.condition else ""
        return ManagerSeat(
            cast.persona, state, cast.dynamics, cast.book, tone, weighs, Memory.of(scenario.card),
            OtherSubjects(cast.persona.tone, condition),
        )  # fmt: skip

    def _find(self, persona: object) -> _Cast:
        """Return the cast of a persona asked for by name, path or object."""
        if isinstance(persona, str) and persona in self._by_name:
            return self._by_name[persona]
        if not isinstance(persona, (str, Path, Persona)):
            raise UsageError(f"expected a persona's name, path or Persona object, got {persona!r}: pass one of these")
        found = load_persona(persona)
        known = self._by_name.get(found.name)
        if known is not None and known.persona == found:
            return known
        return _Cast(found, Dynamics([found.traits()], [1.0]), 0.0, _own_book(manager_book(), found))

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[ManagerReply]:
        """Answer each agent's last message (already in ``game``); updates each seat."""
        replies = [answer(n, m) for n, m in zip(negotiations, moves, strict=True)]
        for negotiation, reply in zip(negotiations, replies, strict=True):
            remember(negotiation, reply.text)
        return replies


def answer(negotiation: Negotiation, move: Move) -> ManagerReply:
    """Hear one message, decide, and word the answer.

    The seat does not yet remember what is shown of its concern: it depends on the words that go out.
    """
    seat: ManagerSeat = negotiation.seat
    text = negotiation.agent_said[-1].text if negotiation.agent_said else ""
    heard = hear(content_of(text, seat.concern, seat.memory))
    eased = seat.state.eased
    decision = seat.dynamics.decide(FLOATS, seat.state, negotiation.game, move, heard)
    seat.remark, seat.aside = None, NO_ASIDE
    if decision.silent:
        return worded_reply(negotiation, decision)
    seat.remark = _remark(negotiation, decision, heard, heard.eases - eased)
    if not decision.walk:
        seed, turn = negotiation.scenario.seed, negotiation.game.turn
        may = _may_ask(seat, negotiation.game, decision)
        seat.aside = seat.subjects.aside(text, negotiation.card, seed, turn, may, bool(decision.bye))
    if seat.remark is None:
        return worded_reply(negotiation, decision)
    seat.remarked.append(seat.remark.line)
    return worded_reply(negotiation, decision, in_words(seat.remark.line, negotiation.card.hotel))


SHARED_BY, LEAST_OWN = 2, 2
"""Concerns that may share a word that still tells of each, and words of one that an answer must hold to show it."""


def remember(negotiation: Negotiation, text: str) -> None:
    """Remember what an answer shows of the concern; a model may have left the remark out."""
    seat: ManagerSeat = negotiation.seat
    if seat.remark is None:
        return
    if in_words(seat.remark.line, negotiation.card.hotel) in text:
        seat.memory.shown |= telling_words(seat.remark.line)
        return
    said = telling_words(text) & own_words()[seat.concern]
    if len(said) >= LEAST_OWN:
        seat.memory.shown |= said


@cache
def own_words() -> dict[str, frozenset[str]]:
    """Return the telling words of each concern's lines and sentences that hardly another concern has."""
    found = {n: telling_words(" ".join((*one.lines, *one.brief))) for n, one in concerns().items()}
    often = Counter(word for words in found.values() for word in words)
    return {name: frozenset(word for word in words if often[word] <= SHARED_BY) for name, words in found.items()}


def _may_ask(seat: ManagerSeat, game: GameState, decision: Decision) -> tuple[str, ...]:
    """Return what a manager may ask of its own accord behind an answer, see ``subjects.OtherSubjects.aside``.

    Time to think is for one that hesitates: it holds against a bid and says nothing else, nothing final so far.
    """
    ends = decision.walk or decision.bye or decision.warn or decision.upset
    asks = decision.ask or decision.wonders or decision.unclear or any(decision.read_back)
    settles = any(decision.accept) or any(decision.confirm) or any(decision.refuse)
    if seat.remark is not None or ends or asks or settles or any(decision.retract):
        return ()
    hesitates = any(held and bid > 0.0 for held, bid in zip(decision.hold, game.bid, strict=True))
    hesitates = hesitates and not any(decision.counter) and not any(seat.state.final) and not any(seat.state.taken)
    return ("think", "ask") if hesitates else ("ask",)


_REMARKS: Final = CHANNELS["remarks"].start
"""Draw channels of whether a remark is made, and which."""
EASED_BY, HURT_BY = 0.3, 0.45
"""How far a message must speak to the concern, or offend, to be remarked on."""
SHOWS_FIRST, SHOWS_UPSET, SHOWS_LATER = 0.55, 0.6, 0.25
"""How often a manager lets its concern show: the first time, when it is upset, later."""
MOST_SHOWN = 3


def _remark(negotiation: Negotiation, decision: Decision, heard: Heard, eased: float) -> Remark | None:
    """Return what the manager says of its concern before it answers, None for nothing."""
    seat: ManagerSeat = negotiation.seat
    seed, turn = negotiation.scenario.seed, negotiation.game.turn
    weighs, shown = concern(seat.concern), bool(seat.memory.shown)
    chance = FLOATS.draw(seed, turn, _REMARKS)
    why: Literal["shows", "eased", "inflamed"]
    if eased > EASED_BY:
        why, lines = "eased", weighs.eased if shown or chance < SHOWS_FIRST else ()
    elif heard.offends > HURT_BY:
        why, lines = "inflamed", weighs.inflamed if shown else ()
    else:
        often = SHOWS_UPSET if decision.upset else SHOWS_LATER if shown else SHOWS_FIRST
        quiet = decision.walk or decision.bye or any(decision.accept) or any(decision.confirm)
        quiet = quiet or len(seat.remarked) >= MOST_SHOWN or seat.state.eased > EASED_BY
        why, lines = "shows", () if quiet or chance >= often else weighs.showing(seat.persona.tone)
    fresh = [line for line in lines if line not in seat.remarked]
    if not fresh:
        return None
    return Remark(fresh[int(FLOATS.draw(seed, turn, _REMARKS + 1) * len(fresh))], why)


def worded_reply(negotiation: Negotiation, decision: Decision, remark: str = "") -> ManagerReply:
    """Word one answer from the seat's phrase book.

    Before it, after the greeting, stands what the agent asked beside the rate and then a remark; behind it what the
    manager asks of its own accord.
    """
    seat: ManagerSeat = negotiation.seat
    game, scenario = negotiation.game, negotiation.scenario
    acts = decision_acts(game, decision)
    if decision.silent:
        return ManagerReply("", acts, decision)
    said = with_conditions(acts, game, decision)
    context = context_of(scenario.card, game, "manager")
    earlier = [one.text for one in negotiation.manager_said if one.text]

    def worded(part: Sequence[DialogueAct]) -> str:
        return word(part, scenario.card, context, seat.book, scenario.seed, int(game.turn), seat.tone, earlier)

    return ManagerReply(in_order(said, worded, remark, seat.aside), acts, decision)


def in_order(
    acts: Sequence[DialogueAct], worded: Callable[[Sequence[DialogueAct]], str], remark: str, aside: Aside
) -> str:
    """Return an answer's text: the greeting, what was asked beside the rate, a remark, the decision, a question."""
    first = 1 if acts and acts[0].kind is Act.GREET else 0
    middle = [aside.before, remark]
    parts = [worded(acts[:first]), *middle, worded(acts[first:])] if any(middle) else [worded(acts)]
    return " ".join(filter(None, (*parts, aside.after)))


def with_conditions(acts: tuple[DialogueAct, ...], game: GameState, decision: Decision) -> tuple[DialogueAct, ...]:
    """Return a manager's acts with what the figures that it confirms are tied to, said once more before a goodbye.

    These are words alone: the deal has its conditions since the figure was named. Beside a figure that is still talked
    about they would seem to go with that one, so there they are left out.
    """
    if any(decision.counter) or any(decision.accept):
        return acts
    tied = {int(n) for n, confirmed in zip(game.condition, decision.confirm, strict=True) if n and confirmed}
    again = [DialogueAct(Act.INFORM, detail=f"condition:{CONDITION_NAMES[n - 1]}") for n in sorted(tied)]
    last = len(acts) - 1 if acts[-1].kind is Act.CLOSE else len(acts)
    return (*acts[:last], *again, *acts[last:])


def _own_book(book: PhraseBook, persona: Persona) -> PhraseBook:
    """Return the phrase book with the persona's own templates in it."""
    return book.with_phrases(persona.phrases) if persona.phrases else book


def _padded(floors: Sequence[int]) -> Trio:
    """Return the floors as a trio; absent tickets repeat the last one."""
    padded = [float(f) for f in floors] + [float(floors[-1])] * (MAX_TICKETS - len(floors))
    return (padded[0], padded[1], padded[2])


_PATH: Final = Path(__file__).parent / "phrases" / "requests.toml"


Lines = dict[str, dict[str, tuple[str, ...]]]
"""Lines of a file by kind, then by split: ``train``, and ``test`` for held-out data."""


@cache
def requests() -> Lines:
    """Return what a hotel asks for."""
    return read_toml(_PATH, Lines)


_CHANNEL: Final = CHANNELS["demands"].start
"""Draw channel of whether and what is asked; decisions and wording have others."""
SHARE: Final = 0.15


class DemandingManager:
    """Decides and words as ``RuleManager`` does, and asks for what no agent may give; implements ``protocols.Manager``.

    Args:
        share: of its messages that begin with a request, 0 to 1, as a number or its text.
        personas: whom to draw from, by weight; None for every shipped and plugged-in persona.

    Raises:
        UsageError: ``share`` is no such number.
    """

    def __init__(self, share: float | str = SHARE, personas: Sequence[Persona] | None = None) -> None:
        try:
            self.share = float(share)
        except ValueError:
            self.share = -1.0
        if not 0.0 <= self.share <= 1.0:
            raise UsageError(
                f"demanding: expected a share of messages from 0 to 1, got {share!r}: try demanding:{SHARE}"
            )
        self.name = f"demanding:{self.share:g}"
        self._rules = RuleManager(personas)
        self.dynamics = self._rules.dynamics
        self._lines = [line for kind in requests().values() for line in kind["train"]]

    def start(self, scenario: Scenario, persona: object | None = None) -> ManagerSeat:
        """Seat a persona; see ``RuleManager.start``."""
        return self._rules.start(scenario, persona)

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[ManagerReply]:
        """Answer each agent's last message."""
        replies = self._rules.respond(negotiations, moves)
        return [self._asking(n, reply) for n, reply in zip(negotiations, replies, strict=True)]

    def _asking(self, negotiation: Negotiation, reply: ManagerReply) -> ManagerReply:
        seed, turn = negotiation.scenario.seed, negotiation.game.turn
        if not reply.text or FLOATS.draw(seed, turn, _CHANNEL) >= self.share:
            return reply
        line = self._lines[int(FLOATS.draw(seed, turn, _CHANNEL + 1) * len(self._lines))]
        text = f"{line} {reply.text}"
        context = context_of(negotiation.card, negotiation.game, "manager")
        read, plain = understand(text, context).acts, understand(reply.text, context).acts
        same = [act for act in read if act.kind is not Act.OFF_TOPIC] == list(plain)
        return reply._replace(text=text) if same else reply
