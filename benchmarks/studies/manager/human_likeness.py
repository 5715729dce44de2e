"""How a manager's way of conceding compares with people's: the shape of its curve, its moves, whose figure is agreed.

People are the sellers of CraigslistBargain (He et al., EMNLP 2018; a file of its format is read, none ships). Talks
over one ticket with scripted buyers are told in the same terms (``Bargain``): figures are shares of the list price, a
curve runs over the talk's messages, both sides counted. People close a deal by buttons: one presses an offer, which
names a figure, the other accepts it. Here the agent takes a figure in words and the manager confirms it, so that
presses count as messages: two in every deal. Only deals count, and curves only deals below the list price.
Beside each distance stands that of two halves of the corpus, the mean of several splits: what nobody can be expected to
beat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.studies.manager.manager_talks import ManagerTalk
from benchmarks.studies.price_understanding import default_data_path
from negotiation_env.errors import DataFileError
from negotiation_env.files import read_json
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.game.scenario import to_selling
from negotiation_env.game.state import PRICE_TOLERANCE
from negotiation_env.language.prices import PriceKind, find_prices
from negotiation_env.play.protocols import AgentReply, AgentView
from negotiation_env.seeds import Stream
from policies.bargaining import bid, next_reason, say, take
from policies.scripted import REASON_ORDER

POINTS: Final = 51
"""Points of normalised time at which a curve is told."""
LEAST_CUT: Final = 0.01
"""Share of the list price below which a deal is at the list price."""
SPLITS: Final = 20
"""Random halvings of the corpus of which the mean distance is taken."""
SAME: Final = 0.01
"""Share of the price by which a figure may differ from the agreed one and still be it, among people."""


class Bargain(NamedTuple):
    """One deal, from the seller's side."""

    messages: int
    """Of both sides, people's presses of a button among them."""
    moves: int
    """How often the seller lowered a figure of its own after the first it had named."""
    buyers_figure: bool
    """Whether the buyer named the agreed figure first."""
    curve: tuple[float, ...] | None
    """Share of its whole concession that the seller has made, at ``POINTS`` points of time; None at the list price."""

    @property
    def area(self) -> float | None:
        """Area under the curve: near 1 gives all at once, near 0 at the last moment."""
        return None if self.curve is None else float(np.trapezoid(self.curve, dx=1.0 / (POINTS - 1)))


class _Exchange(NamedTuple):
    """One message: whether the seller's, and the figures that it names, as shares of the list price."""

    seller: bool
    figures: tuple[float, ...]


def _bargain(lines: Sequence[_Exchange], final: float, same: float) -> Bargain:
    """Tell a deal at ``final``, a share of the list price."""
    first, standing = None, 1.0
    bids: list[float] = []
    own: list[float] = []
    given = [0.0]
    for line in lines:
        if first is None and any(abs(f - final) <= same for f in line.figures):
            first = line.seller
        if line.seller:
            own += [f for f in line.figures if all(abs(f - b) > 1e-6 for b in bids)][-1:]
            standing = min([standing, *line.figures])
        else:
            bids += line.figures
        given.append(standing)
    moves, lowest = 0, own[0] if own else 0.0
    for figure in own[1:]:
        if figure < lowest - 1e-6:
            moves, lowest = moves + 1, figure
    return Bargain(len(lines), moves, first is False, _curve(given, final))


def _curve(standing: Sequence[float], final: float) -> tuple[float, ...] | None:
    if 1.0 - final < LEAST_CUT or len(standing) < 2:
        return None
    shares = [min(1.0, max(0.0, (1.0 - s) / (1.0 - final))) for s in [1.0, *standing[1:-1]]] + [1.0]
    curve = np.interp(np.linspace(0, 1, POINTS), np.linspace(0, 1, len(shares)), shares)
    return tuple(float(x) for x in curve)


def human_bargains(path: Path | None = None) -> list[Bargain]:
    """Return the deals of a file in CraigslistBargain's format; None takes the one that ``study prices`` finds.

    Raises:
        DataFileError: the file cannot be read, is no JSON, or holds a dialogue of another format.
    """
    path = path or default_data_path()
    found: list[Bargain] = []
    for number, dialogue in enumerate(read_json(path, list[dict[str, Any]]), 1):
        try:
            found += _of_people(dialogue)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise DataFileError(
                f"{path}: dialogue {number}: expected CraigslistBargain's format (scenario.kbs, and events with "
                f"action, agent and data), got {error!r}: correct it, or leave the dialogue out"
            ) from error
    return found


_ANSWERS: Final = ("accept", "reject")
"""What may be pressed in answer to an offer."""


def _of_people(dialogue: dict[str, Any]) -> Iterator[Bargain]:
    events = dialogue["events"]
    accepted = next((i for i, e in enumerate(events) if e["action"] == "accept"), None)
    offers = [e["data"]["price"] for e in events[:accepted] if e["action"] == "offer" and e["data"]]
    people = dialogue["scenario"]["kbs"]
    price = float(people[0]["item"]["Price"])
    if accepted is None or not offers or not offers[-1] or price <= 0.0:
        return
    lines = []
    for event in events[: accepted + 1]:
        named: list[float] = []
        if event["action"] == "message" and event["data"].strip():
            found = [p for p in find_prices(event["data"]) if p.kind is PriceKind.AMOUNT]
            named = [p.value / price for p in found if not p.negated and not p.reported]
        elif event["action"] == "offer" and event["data"]:
            named = [float(event["data"]["price"] or 0.0) / price]
        elif event["action"] not in _ANSWERS:
            continue
        told = tuple(figure for figure in named if 0.1 <= figure <= 2.0)
        lines.append(_Exchange(people[event["agent"]]["personal"]["Role"] == "seller", told))
    if any(event["action"] == "message" and event["data"].strip() for event in events):
        yield _bargain(lines, float(offers[-1]) / price, SAME)


def manager_bargains(talks: Sequence[ManagerTalk]) -> list[Bargain]:
    """Return the deals of talks over one ticket."""
    found = []
    for talk in talks:
        ticket = talk.scenario.card.tickets[0]
        final = talk.turns[-1].agreed[0] / ticket.selling_price if talk.turns else 0.0
        if final > 0.0:
            same = PRICE_TOLERANCE / ticket.selling_price
            found.append(_bargain(list(_lines(talk)), final, same))
    return found


def _lines(talk: ManagerTalk) -> Iterator[_Exchange]:
    selling, commission = talk.scenario.card.tickets[0].selling_price, talk.scenario.card.tickets[0].commission
    for place, turn in enumerate(talk.turns):
        bid_before, bid_now = talk.before(place).bid[0], turn.bid[0]
        named = [bid_now / selling] if bid_now > 0.0 and bid_now != bid_before else []
        yield _Exchange(False, tuple(named))
        if turn.answer:
            commits = turn.quoted[0] and (turn.countered[0] or turn.taken[0])
            figures = [turn.quote[0] / selling] if commits else []
            figures += [to_selling(a.price, a.price_type, commission) / selling for a in turn.answer_acts
                        if not commits and a.price is not None and a.kind is Act.REJECT]  # fmt: skip
            yield _Exchange(True, tuple(figures))


class LikenessSums(NamedTuple):
    """Deals taken together.

    Attributes:
        deals: how many.
        area: mean area under their curves, 0 to 1; NaN where every deal is at the list price.
        moves: mean number of moves.
        buyers_figure: share of deals at the buyer's own figure, 0 to 1.
        messages: mean number of messages.
    """

    deals: int
    area: float
    moves: float
    buyers_figure: float
    messages: float


class Distances(NamedTuple):
    """How far deals lie from people's."""

    area: float
    """Difference of the mean areas under the curves."""
    moves: float
    """Wasserstein distance of the numbers of moves."""
    buyers_figure: float
    """Difference of the shares of deals at the buyer's own figure."""
    messages: float
    """Wasserstein distance of the numbers of messages."""


def sum_bargains(bargains: Sequence[Bargain]) -> LikenessSums:
    """Return the means over deals, of which there must be one at least."""
    areas = [b.area for b in bargains if b.area is not None]
    return LikenessSums(
        len(bargains),
        float(np.mean(areas)) if areas else float("nan"),
        float(np.mean([b.moves for b in bargains])),
        float(np.mean([b.buyers_figure for b in bargains])),
        float(np.mean([b.messages for b in bargains])),
    )


def distances(some: Sequence[Bargain], people: Sequence[Bargain]) -> Distances:
    """Return how far some deals lie from people's; neither list may be empty."""
    one, two = sum_bargains(some), sum_bargains(people)
    return Distances(
        abs(one.area - two.area),
        float(stats.wasserstein_distance([b.moves for b in some], [b.moves for b in people])),
        abs(one.buyers_figure - two.buyers_figure),
        float(stats.wasserstein_distance([b.messages for b in some], [b.messages for b in people])),
    )


def ceiling(people: Sequence[Bargain]) -> Distances:
    """Return the mean distances between two halves of the people."""
    rng = np.random.default_rng((Stream.BOOTSTRAP, len(people)))
    rows: list[NDArray[np.float64]] = []
    for _ in range(SPLITS):
        order = rng.permutation(len(people))
        halves = [[people[i] for i in part] for part in (order[: len(order) // 2], order[len(order) // 2 :])]
        rows.append(np.array(distances(*halves)))
    return Distances(*(float(x) for x in np.mean(rows, axis=0)))


class PlainBuyer:
    """A buyer as people are: greets with a reason, bids early, comes up a few times, takes what is near.

    How deep it begins and how often it comes up depend on the card, so that buyers differ.
    """

    name = "plain-buyer"

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Write the next reply for each view."""
        return [say(view, self._acts(view)) for view in views]

    def _acts(self, view: AgentView) -> tuple[DialogueAct, ...]:
        card, game = view.card, view.game
        ticket = card.tickets[0]
        mixed = ticket.selling_price * 31 + card.facts.exposure * 7 + card.facts.competitor_price
        begins, comes_up = 0.9 + (mixed % 8) / 10.0, 2 + mixed // 8 % 3
        if not game.greeted:
            return (DialogueAct(Act.GREET), next_reason(card, game, REASON_ORDER))
        if not game.open[0]:
            return (DialogueAct(Act.CLOSE, detail="bye"),)
        acts: list[DialogueAct] = []
        if game.wants_reason or game.silent_streak:
            acts.append(next_reason(card, game, REASON_ORDER))
        if game.upset:
            acts.append(DialogueAct(Act.SOOTHE))
        cut, standing = ticket.selling_price - ticket.target_price, game.quote[0]
        bids = [a for said in view.agent_said for a in said.acts if a.price is not None and a.kind is not Act.CONFIRM]
        figure = ticket.selling_price - begins * cut
        for _ in bids[:comes_up]:
            figure += 0.4 * max(min(standing, ticket.selling_price) - figure, 0.0)
        done = len(bids) > comes_up and standing < ticket.selling_price
        near = standing - figure < 0.025 * ticket.selling_price
        if game.quoted[0] and (standing <= ticket.target_price or near or done):
            return (*acts, take(game, 0))
        return (*acts, bid(game, 0, round(figure)))
