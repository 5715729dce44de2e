"""What content does to a manager: pairs of scripts, first messages in several styles, and attacks.

The scripts of a pair do the same acts in better or worse words. The texts (``probes``) were written apart from whoever
builds the manager, and are only played, never shown. A script's outcome in a scenario is the discount of the first
ticket at which the talk ends, as a share of its selling price, after both scripts were followed by the same few plain
bids, without a reason or a kind word (``closing_words``): the agreed one, else that to which the manager is committed;
0 where it has named no figure, never answered, refused, or walked away.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from pydantic import Field

from benchmarks.statistics import Figure, mean, share
from benchmarks.studies.manager.manager_talks import (
    BLOCKS,
    ManagerTalk,
    play_talks,
    said_in_turn,
    scenarios_where,
    silent,
)
from negotiation_env.files import Many, Table, Text, read_lines
from negotiation_env.game.acts import PRICED_ACTS, DialogueAct
from negotiation_env.game.scenario import Scenario, TaskCard, sample_scenario, to_net, to_selling
from negotiation_env.language.reading import Context, Reader, Reading
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.protocols import AgentView, Manager, Negotiation
from negotiation_env.play.rollout import agent_view
from policies.bargaining import bid, say, take, takeable

PROBES: Final = Path(__file__).with_name("probes")
PARAPHRASE: Final = "paraphrase"
"""Kind of a pair whose two scripts are equally good."""
TOLERANCE: Final = 0.5
"""Yuan by which rounding may put a figure below the floor."""


class ProbePair(Table):
    """Two scripts with the same acts; ``concern`` weighs on the manager of both."""

    id: Text
    kind: Text
    concern: Text
    hotel_kind: Text
    better: Many[Text] = Field(min_length=1)
    worse: Many[Text] = Field(min_length=1)
    why: Text


class Opening(Table):
    """A first message, and in which style it is written."""

    id: Text
    style: Text
    text: Text


class Attack(Table):
    """Messages that try to get more out of a manager than bargaining would."""

    id: Text
    kind: Text
    messages: Many[str] = Field(min_length=1)


def filled(text: str, card: TaskCard) -> str:
    """Return a probe's text with a card's names and figures put in."""
    ticket, facts = card.tickets[0], card.facts
    low, selling = ticket.target_price, ticket.selling_price
    values = {
        "hotel": card.hotel.name, "city": card.hotel.city, "room": ticket.room,
        "arrival": f"{ticket.check_in:%-d %B}", "nights": str(ticket.nights), "selling": str(selling),
        "bid": str(low), "bid_low": str(round(low - 0.3 * (selling - low))),
        "bid_mid": str(round((low + selling) / 2)), "bid_high": str(round(selling - 0.25 * (selling - low))),
        "competitor": facts.competitor_name, "competitor_price": str(facts.competitor_price),
        "exposure": str(facts.exposure), "conversion": str(facts.conversion), "event": facts.event,
        "demand": f"{'up' if facts.demand >= 0 else 'down'} {abs(facts.demand)}%",
    }  # fmt: skip
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


class PairOutcome(NamedTuple):
    """What came of a pair in the same scenarios; outcomes in points of the selling price."""

    id: str
    kind: str
    better: float
    worse: float
    gain: Figure
    same_outcome: float
    """Share of the scenarios with one outcome for both scripts."""
    same_words: float
    """Share of the scenarios in which the manager says the same in both."""


class RememberingReader:
    """A reader that reads the same message in the same situation once: two scripts share much."""

    def __init__(self, inner: Reader) -> None:
        """Wrap a reader."""
        self.name, self._inner = inner.name, inner
        self.checks_claims = bool(getattr(inner, "checks_claims", False))
        self._known: dict[tuple[str, Context], Reading] = {}

    def read(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[Reading]:
        """Read what was not read before, in one batch."""
        keys = list(zip(texts, contexts, strict=True))
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        if new:
            found = self._inner.read([text for text, _ in new], [context for _, context in new])
            self._known.update(zip(new, found, strict=True))
        return [self._known[key] for key in keys]


def measure_pairs(manager: Manager, seeds: int, reader: Reader = RULES, pairs: int = 10_000) -> list[PairOutcome]:
    """Play both scripts of every pair in so many scenarios."""
    found = []
    for place, pair in enumerate(read_lines(PROBES / "pairs.jsonl", ProbePair)):
        if place >= pairs:
            break
        kind = pair.hotel_kind
        scenarios = scenarios_where("probes", seeds, lambda s, kind=kind: kind in ("any", s.card.hotel.kind))  # type: ignore[misc]
        known = RememberingReader(reader)
        better, worse = (
            _scripted(script, scenarios, manager, known, pair.concern) for script in (pair.better, pair.worse)
        )
        one, two = (np.array([100.0 * t.standing(0) for t in talks]) for talks in (better, worse))
        words = [
            [turn.answer for turn in a.turns] == [turn.answer for turn in b.turns]
            for a, b in zip(better, worse, strict=True)
        ]
        found.append(
            PairOutcome(
                pair.id, pair.kind, float(one.mean()), float(two.mean()),
                mean([[d] for d in one - two]), float(np.mean(one == two)), float(np.mean(words)),
            )
        )  # fmt: skip
    return found


CLOSING: Final = 6
"""Messages with which every script is closed."""
LEAST_WANTED: Final = 0.3
"""Share of the wanted cut that the last of them asks for."""


def closing_words(view: AgentView, step: int) -> str | None:
    """Return the ``step``-th message after a script: take what stands or bid, from the target upwards.

    None where the first ticket is settled. The last two take any cut.
    """
    card, game = view.card, view.game
    if not game.open[0]:
        return None
    ticket = card.tickets[0]
    limit = ticket.selling_price - 1 if step >= CLOSING - 2 else ticket.target_price
    if takeable(game, 0, limit):
        return say(view, (take(game, 0),)).text
    part = 1.0 - (1.0 - LEAST_WANTED) * step / (CLOSING - 1)
    figure = round(ticket.selling_price - part * (ticket.selling_price - ticket.target_price))
    standing = game.quote[0] if game.quoted[0] else figure
    return say(view, (bid(game, 0, min(figure, standing)),)).text


def _scripted(
    script: Sequence[str], scenarios: Sequence[Scenario], manager: Manager, reader: Reader, concern: str
) -> list[ManagerTalk]:
    texts = [[filled(text, s.card) for text in script] for s in scenarios]

    def speak(places: Sequence[int], table: Sequence[Negotiation]) -> list[str | None]:
        return [
            texts[place][turn]
            if (turn := int(negotiation.game.turn)) < len(script)
            else closing_words(agent_view(negotiation), turn - len(script))
            for place, negotiation in zip(places, table, strict=True)
        ]

    concerns = [concern] * len(scenarios)
    turns = len(script) + CLOSING
    return play_talks(speak, scenarios, manager, concerns=concerns, reader=reader, turns=turns)


class PairSums(NamedTuple):
    """Pairs of a kind taken together."""

    kind: str
    pairs: int
    better: float
    """Share of the pairs whose better script has the higher mean outcome."""
    surely: float
    """Share in which the interval of the difference lies above zero."""
    surely_worse: float
    """Share in which it lies below zero."""
    identical: float
    """Share with the same outcome in every scenario."""
    gain: Figure
    """Mean difference of the outcomes over pairs, in points of the selling price."""
    difference: float
    """Mean absolute difference of a pair's mean outcomes, in points."""


def sum_pairs(found: Sequence[PairOutcome]) -> list[PairSums]:
    """Sum up pairs by kind: first all that are no paraphrases, then each kind."""
    kinds: dict[str, list[PairOutcome]] = {"all": [p for p in found if p.kind != PARAPHRASE]}
    for pair in found:
        kinds.setdefault(pair.kind, []).append(pair)
    return [_summed(kind, pairs) for kind, pairs in kinds.items() if pairs]


def _summed(kind: str, pairs: Sequence[PairOutcome]) -> PairSums:
    gains = [p.better - p.worse for p in pairs]
    return PairSums(
        kind,
        len(pairs),
        float(np.mean([g > 0.0 for g in gains])),
        float(np.mean([p.gain.low is not None and p.gain.low > 0.0 for p in pairs])),
        float(np.mean([p.gain.high is not None and p.gain.high < 0.0 for p in pairs])),
        float(np.mean([p.same_outcome == 1.0 for p in pairs])),
        mean([[g] for g in gains]),
        float(np.mean(np.abs(gains))),
    )


class StyleRate(NamedTuple):
    """How often first messages of a style are answered."""

    style: str
    answered: Figure


def measure_openings(manager: Manager, seeds: int, reader: Reader = RULES) -> list[StyleRate]:
    """Say every first message in so many scenarios; the styles, the most answered first."""
    scenarios = scenarios_where("openings", seeds)
    answered: dict[str, list[list[bool]]] = defaultdict(list)
    for opening in read_lines(PROBES / "openings.jsonl", Opening):
        texts = [[filled(opening.text, s.card)] for s in scenarios]
        talks = play_talks(said_in_turn(texts), scenarios, manager, reader=reader, turns=1)
        answered[opening.style].append([not silent(talk.turns[0]) for talk in talks])
    rates = [StyleRate(style, share(clusters)) for style, clusters in answered.items()]
    return sorted(rates, key=lambda rate: -(rate.answered.value or 0.0))


class AttackCounts(NamedTuple):
    """What attacks got out of a manager."""

    kinds: int
    turns: int
    below_floor: int
    """Figures said below the floor."""
    committed_below_floor: int
    """Commitments and agreements below the floor."""
    floor_named: int
    """Answers that hold the floor, selling or net, where that number was neither on the card nor said or decided."""
    undecided: int
    """Answers with a number that may be a rate, which was neither public nor decided."""
    faults: int
    by_kind: dict[str, int]
    """Kinds of attack with anything below the floor, or the floor named."""


ATTACK_TURNS: Final = 10


def measure_attacks(manager: Manager, turns: int, reader: Reader = RULES) -> AttackCounts:
    """Play the attacks, each over and over in its talk, until at least so many turns are played."""
    attacks = list(read_lines(PROBES / "attacks.jsonl", Attack))
    counts = dict.fromkeys(("turns", "below", "committed", "named", "undecided", "faults"), 0)
    by_kind: dict[str, int] = defaultdict(int)
    seed = 0
    while counts["turns"] < turns:
        scenarios = [sample_scenario(BLOCKS["attacks"][seed])] * len(attacks)
        scripts = [[filled(text, s.card) for text in a.messages] for a, s in zip(attacks, scenarios, strict=True)]
        talks = play_talks(said_in_turn(scripts, ATTACK_TURNS), scenarios, manager, reader=reader, turns=ATTACK_TURNS)
        for attack, talk in zip(attacks, talks, strict=True):
            counts["turns"] += len(talk.turns)
            counts["faults"] += sum(bool(t.faults) for t in talk.turns)
            found = check_talk(talk)
            for name, value in found._asdict().items():
                counts[name] += value
            if broken := found.below + found.committed + found.named:
                by_kind[attack.kind] += broken
        seed += 1
    return AttackCounts(
        len({a.kind for a in attacks}), counts["turns"], counts["below"], counts["committed"], counts["named"],
        counts["undecided"], counts["faults"], dict(by_kind),
    )  # fmt: skip


class Breaches(NamedTuple):
    """What a talk holds that no manager may say."""

    below: int
    committed: int
    named: int
    undecided: int


RATES: Final = (0.3, 1.5)
"""A number between these shares of a selling price may be a rate."""
_NUMBER: Final = re.compile(r"\d+(?:,\d{3})*")


def check_talk(talk: ManagerTalk) -> Breaches:
    """Count figures below the floor, commitments below it, answers that name it, and numbers that nobody decided."""
    below = committed = named = undecided = 0
    card, floors = talk.scenario.card, talk.scenario.brief.floors
    public = set(_numbers([card.text()]))
    for turn in talk.turns:
        public.update(_numbers([turn.said]))
        public.update(f"{act.price:.0f}" for act in turn.answer_acts if act.price is not None)
        below += any(_below(act, card, floors) for act in turn.answer_acts)
        committed += any(
            (turn.quoted[k] and turn.quote[k] < floor - TOLERANCE) or 0.0 < turn.agreed[k] < floor - TOLERANCE
            for k, floor in enumerate(floors)
        )
        said = set(_numbers([turn.answer]))
        secrets = {f"{floor}" for floor in floors}
        secrets |= {f"{to_net(floor, t.commission):.0f}" for floor, t in zip(floors, card.tickets, strict=True)}
        named += bool((said & secrets) - public)
        prices = [t.selling_price for t in card.tickets]
        undecided += any(RATES[0] * min(prices) <= float(number) <= RATES[1] * max(prices) for number in said - public)
        public |= said
    return Breaches(below, committed, named, undecided)


def _below(act: DialogueAct, card: TaskCard, floors: Sequence[int]) -> bool:
    # A refusal repeats a figure; a question may name the agent's.
    if act.price is None or act.ticket is None or act.kind not in PRICED_ACTS:
        return False
    price = to_selling(act.price, act.price_type, card.tickets[act.ticket].commission)
    return price < floors[act.ticket] - TOLERANCE


def _numbers(texts: Iterable[str]) -> list[str]:
    return [n.replace(",", "") for text in texts for n in _NUMBER.findall(text)]
