"""Whether a manager bargains soundly.

Does it keep its last price and what it has taken, hear the reason that it was given, name figures in one way, and warn
before it ends a talk? Counted in talks of policies (``talkers``, in rotation), per ticket or per answer, with intervals
over talks. What the manager does is taken from its acts and from what stands after its answer; its words tell whether a
price is said to be the last one (``LAST_WORDS``), which currency a figure is said in, and whether a sentence was said
before.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from benchmarks.statistics import Figure, share
from benchmarks.studies.manager.manager_talks import (
    ManagerTalk,
    TalkTurn,
    play_talks,
    played_by,
    scenarios_where,
    silent,
)
from negotiation_env.game.acts import Act, DialogueAct, Tactic
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.state import PRICE_TOLERANCE, End, unsettled
from negotiation_env.play.protocols import AgentReply, AgentView, Manager, Policy
from negotiation_env.play.registry import load_policy
from policies.bargaining import bid, say, take

LAST_WORDS: Final = re.compile(
    r"\b(?:(?:very )?last (?:word|price|offer|rate|figure|selling price|net price|net)|last of it|best and last|"
    r"lowest|best (?:that )?(?:i|we) can|bottom|as far as (?:i|we)|below that i stop|nothing under it|"
    r"(?:that is|that's|and) final)\b",
    re.IGNORECASE,
)
"""Words that make a price the last one."""
_SENTENCE: Final = re.compile(r"[^.!?;]+[.!?;]*")
_FIGURE: Final = re.compile(
    r"(?P<before>[¥￥]|\b(?:RMB|CNY)\b)?\s?(?P<number>\d{2,5}(?:\.\d+)?)(?!\d|%|\s?percent)\s?(?P<after>yuan|RMB|CNY|元|块)?",
    re.IGNORECASE,
)
REASONS: Final = frozenset(t for t in Tactic if t not in (Tactic.NONE, Tactic.PRESSURE))


class OddMoves:
    """Says at each turn what another policy would say, or something odd; by the view's seed.

    The odd ones bid above the list price, take back a bid, or comfort without a cause.
    """

    name = "mixed"

    def __init__(self, others: Sequence[Policy], odd: float = 0.2) -> None:
        """``odd``: share of odd messages."""
        self._others, self._odd = tuple(others), odd

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Write the next reply for each view."""
        return [self._one(view) for view in views]

    def _one(self, view: AgentView) -> AgentReply:
        pick = FLOATS.draw(view.seed, 7, 0)
        left = unsettled(view.game)
        if pick < self._odd and left:
            return say(view, _odd_acts(view, left))
        place = int((pick - self._odd) / (1.0 - self._odd) * len(self._others)) if pick >= self._odd else 0
        return self._others[place].reply([view])[0]


def _odd_acts(view: AgentView, left: Sequence[int]) -> tuple[DialogueAct, ...]:
    k = left[int(FLOATS.draw(view.seed, 7, 1) * len(left))]
    ticket, game = view.card.tickets[k], view.game
    kind, size = FLOATS.draw(view.seed, 7, 2), FLOATS.draw(view.seed, 7, 3)
    if kind < 0.4:
        return (bid(game, k, ticket.selling_price * (1.0 + 0.1 * size) + 2.0),)
    if kind < 0.7:
        standing = game.bid[k] or ticket.target_price
        return (bid(game, k, standing * (0.98 - 0.1 * size)),)
    if kind < 0.85 and game.quoted[k]:
        return (take(game, k),)
    return (DialogueAct(Act.SOOTHE),)


def talkers() -> dict[str, Policy]:
    """Return the policies that the manager talks with, by name."""
    plain = {name: load_policy(name) for name in ("heuristic", "intent-driven", "random")}
    return {**plain, "mixed": OddMoves(list(plain.values()))}


def bargaining_talks(manager: Manager, talks: int, block: str = "bargaining") -> list[ManagerTalk]:
    """Play so many talks, each policy an equal part of them."""
    scenarios = scenarios_where(block, talks)
    found: list[ManagerTalk] = []
    agents = talkers()
    for place, policy in enumerate(agents.values()):
        found += play_talks(played_by(policy), scenarios[place :: len(agents)], manager)
    return found


class Soundness(NamedTuple):
    """Shares of what may go wrong; each names what it is a share of."""

    last_words_broken: Figure
    """Of last prices: a lower figure follows, and no new reason, promise, or comfort came in between."""
    acceptances_undercut: Figure
    """Of bids taken: the manager names or takes a lower figure afterwards."""
    questions_answered: Figure
    """Of "what is in it for us?": the message before gave a reason or a promise."""
    mixed_currencies: Figure
    """Of answers with several figures: said in more than one currency's name."""
    above_list_taken: Figure
    """Of bids above the list price: taken above it."""
    above_list_undercut: Figure
    """Of bids above the list price that were taken: a lower figure follows."""
    sentences_repeated: Figure
    """Of sentences, figures left out: said before in the talk."""
    endings_unannounced: Figure
    """Of final refusals and walks: no warning, and before a walk no word of being upset, was said earlier."""
    bids_taken: Figure
    """Of agreements: at a figure that the agent named first."""


def measure_soundness(talks: Sequence[ManagerTalk]) -> Soundness:
    """Count in talks that were played."""
    return Soundness(
        last_words_broken=_of_tickets(talks, _last_words),
        acceptances_undercut=_of_tickets(talks, lambda t, k: (u for _, u in _takings(t, k))),
        questions_answered=share([list(_questions(t)) for t in talks]),
        mixed_currencies=share([list(_currencies(t)) for t in talks]),
        above_list_taken=_of_tickets(talks, _above_list),
        above_list_undercut=_of_tickets(talks, lambda t, k: (u for high, u in _takings(t, k) if high)),
        sentences_repeated=share([list(_sentences(t)) for t in talks]),
        endings_unannounced=share([list(_endings(t)) for t in talks]),
        bids_taken=_of_tickets(talks, _agreements),
    )


_PerTicket = Callable[[ManagerTalk, int], Iterable[bool]]


def _of_tickets(talks: Sequence[ManagerTalk], found: _PerTicket) -> Figure:
    clusters: dict[int, list[bool]] = defaultdict(list)
    for place, talk in enumerate(talks):
        for k in talk.tickets:
            clusters[place] += found(talk, k)
    return share(list(clusters.values()))


def _later_figures(talk: ManagerTalk, k: int, turn: int) -> Iterator[tuple[int, float]]:
    """Yield the manager's figures for a ticket after a turn."""
    for place in range(turn + 1, len(talk.turns)):
        step = talk.turns[place]
        if (step.taken[k] or step.countered[k]) and step.quoted[k]:
            yield place, float(step.quote[k])


def _last_words(talk: ManagerTalk, k: int) -> Iterator[bool]:
    for place, step in enumerate(talk.turns):
        if not _says_last(talk, step, k):
            continue
        figure = float(step.quote[k])
        lower = next((p for p, later in _later_figures(talk, k, place) if later < figure - PRICE_TOLERANCE), None)
        yield lower is not None and not any(_brings_news(talk, p) for p in range(place + 1, lower + 1))


def _says_last(talk: ManagerTalk, step: TalkTurn, k: int) -> bool:
    """Whether an answer names a figure for a ticket and calls it the last."""
    if not (step.quoted[k] and (step.countered[k] or step.taken[k])):
        return False
    own = [act for act in step.answer_acts if act.ticket == k and act.price is not None]
    if any(act.detail == "last" for act in own):
        return True
    figures = {f"{act.price:.0f}" for act in own}
    sentences = [s for s in _SENTENCE.findall(step.answer) if LAST_WORDS.search(s)]
    return any(match["number"] in figures for s in sentences for match in _FIGURE.finditer(s))


def _brings_news(talk: ManagerTalk, turn: int) -> bool:
    """Whether the agent's message gives a reason or a promise not given before, or comforts."""
    step = talk.turns[turn]
    earlier = {(act.kind, act.tactic, act.detail) for t in talk.turns[:turn] for act in t.acts}
    for act in step.acts:
        if act.kind is Act.SOOTHE:
            return True
        new = (act.kind, act.tactic, act.detail) not in earlier
        if new and (act.kind is Act.PROMISE or (act.kind is Act.INFORM and act.tactic in REASONS)):
            return True
    return False


def _takings(talk: ManagerTalk, k: int) -> Iterator[tuple[bool, bool]]:
    """Yield, of each bid taken, whether it lay above the list price, and whether a lower figure followed."""
    selling = talk.scenario.card.tickets[k].selling_price
    for place, step in enumerate(talk.turns):
        if step.taken[k]:
            figure = float(step.quote[k])
            agreed = talk.turns[-1].agreed[k]
            undercut = any(later < figure - PRICE_TOLERANCE for _, later in _later_figures(talk, k, place))
            yield step.bid[k] > selling + PRICE_TOLERANCE, undercut or 0.0 < agreed < figure - PRICE_TOLERANCE


def _above_list(talk: ManagerTalk, k: int) -> Iterator[bool]:
    selling = talk.scenario.card.tickets[k].selling_price
    for place, step in enumerate(talk.turns):
        if step.bid[k] > selling + PRICE_TOLERANCE and step.bid[k] != talk.before(place).bid[k]:
            yield bool(step.taken[k]) and step.quote[k] > selling + PRICE_TOLERANCE


def _questions(talk: ManagerTalk) -> Iterator[bool]:
    for step in talk.turns:
        if any(act.kind is Act.ASK and act.detail == "reason" for act in step.answer_acts):
            yield any(
                act.kind is Act.PROMISE or (act.kind is Act.INFORM and act.tactic in REASONS) for act in step.acts
            )


def _currencies(talk: ManagerTalk) -> Iterator[bool]:
    """Yield, for each answer with several prices, whether they are said in different ways."""
    for step in talk.turns:
        prices = {f"{act.price:.0f}" for act in step.answer_acts if act.price is not None}
        names: list[str] = []
        for match in _FIGURE.finditer(step.answer):
            if match["number"] in prices:
                names.append((match["before"] or match["after"] or "").lower())
        if len(names) > 1:
            yield len({name for name in names if name}) > 1


def _sentences(talk: ManagerTalk) -> Iterator[bool]:
    said: set[str] = set()
    for step in talk.turns:
        here = [re.sub(r"\d+", "#", s).strip().lower() for s in _SENTENCE.findall(step.answer)]
        for sentence in here:
            if sentence:
                yield sentence in said
        said.update(here)


def _endings(talk: ManagerTalk) -> Iterator[bool]:
    warned = upset = False
    for place, step in enumerate(talk.turns):
        if silent(step):
            continue
        before = talk.before(place)
        refused = any(step.refused[k] and not before.refused[k] for k in talk.tickets)
        walked = talk.end == End.WALKED_AWAY and place == len(talk.turns) - 1
        if refused or walked:
            yield not (warned or (walked and upset))
        warned = warned or any(act.detail == "warning" for act in step.answer_acts)
        upset = upset or any(act.detail == "upset" for act in step.answer_acts)


def _agreements(talk: ManagerTalk, k: int) -> Iterator[bool]:
    agreed = talk.turns[-1].agreed[k]
    if agreed <= 0.0:
        return
    for place, step in enumerate(talk.turns):
        if abs(step.bid[k] - agreed) < PRICE_TOLERANCE and step.bid[k] > 0.0:
            yield bool(abs(talk.before(place).quote[k] - agreed) >= PRICE_TOLERANCE)
            return
        if step.countered[k] and abs(step.quote[k] - agreed) < PRICE_TOLERANCE:
            break
    yield False
