"""Talks with a manager, played in lock-step, and kept turn by turn as far as they are public.

What a study measures it takes from ``ManagerTalk``; the scenario's brief in it is there to check the manager, and
nothing that speaks for the agent sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.game.lanes import Trio
from negotiation_env.game.scenario import Scenario, sample_scenario
from negotiation_env.game.state import End
from negotiation_env.language.reading import Reader
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.exchange import exchange, open_negotiation
from negotiation_env.play.protocols import Manager, Negotiation, Policy, Unscored
from negotiation_env.play.rollout import agent_view
from negotiation_env.seeds import SCENARIOS

MOST_TURNS: Final = 20
BATCH: Final = 256
"""Talks in play at a time."""
_BLOCK: Final = len(SCENARIOS["manager study"]) // 20
_PARTS: Final = (
    "probes", "openings", "attacks", "bargaining", "tuning", "exploits", "floors", "floors told", "people", "personas",
)  # fmt: skip
BLOCKS: Final = {
    name: SCENARIOS["manager study"][place * _BLOCK : (place + 1) * _BLOCK] for place, name in enumerate(_PARTS)
}
"""Which scenarios each part of the study plays."""


class TalkTurn(NamedTuple):
    """One message of the agent and the answer, with what stood after it. Prices are selling prices, yuan per night."""

    said: str
    acts: tuple[DialogueAct, ...]
    answer: str
    answer_acts: tuple[DialogueAct, ...]
    bid: Trio
    """The agent's standing figures, 0 for none."""
    quote: Trio
    """The manager's standing figures after the answer."""
    quoted: Trio
    """Whether it has committed to them."""
    agreed: Trio
    refused: Trio
    taken: Trio
    """Tickets on which the answer accepts the agent's figure."""
    countered: Trio
    """Tickets on which the answer names a figure of the manager's own to commit to."""
    faults: tuple[str, ...] = ()


@dataclass(slots=True)
class ManagerTalk:
    """A talk as far as it has come."""

    scenario: Scenario
    persona: str
    turns: list[TalkTurn] = field(default_factory=list)
    end: End = End.OPEN

    @property
    def tickets(self) -> range:
        """Positions of its tickets."""
        return range(len(self.scenario.card.tickets))

    def before(self, turn: int) -> TalkTurn:
        """Return what stood before a turn, as a turn in which nothing was said."""
        if turn > 0:
            return self.turns[turn - 1]
        prices = [float(t.selling_price) for t in self.scenario.card.tickets]
        prices += [prices[-1]] * (3 - len(prices))
        none, no = (0.0, 0.0, 0.0), (False, False, False)
        return TalkTurn("", (), "", (), none, (prices[0], prices[1], prices[2]), no, none, no, no, no)

    def discount(self, k: int) -> float:
        """Return the agreed discount of a ticket as a share of its selling price, 0 where there is no deal."""
        agreed, selling = self.turns[-1].agreed[k], self.scenario.card.tickets[k].selling_price
        return (selling - agreed) / selling if agreed > 0.0 else 0.0

    def standing(self, k: int) -> float:
        """Return the discount to which the manager is committed, as a share of the selling price.

        0 where it has named no figure, has refused, or has walked away.
        """
        last, selling = self.turns[-1], self.scenario.card.tickets[k].selling_price
        if last.agreed[k] > 0.0:
            return float(selling - last.agreed[k]) / selling
        if self.end == End.WALKED_AWAY or last.refused[k] or not last.quoted[k]:
            return 0.0
        return float(selling - last.quote[k]) / selling


Speak = Callable[[Sequence[int], Sequence[Negotiation]], Sequence[str | None]]
"""From the positions of the talks still in play, and these, the agent's next messages; None ends a talk."""


def play_talks(
    speak: Speak,
    scenarios: Sequence[Scenario],
    manager: Manager,
    *,
    personas: Sequence[object | None] | None = None,
    concerns: Sequence[str] | None = None,
    reader: Reader = RULES,
    turns: int = MOST_TURNS,
) -> list[ManagerTalk]:
    """Play a talk in each scenario and return them in order.

    Args:
        speak: the agent's side.
        scenarios: one per talk.
        manager: the hotel's side.
        personas: one per talk, None draws it from the scenario's seed.
        concerns: what weighs on each manager, where the manager's seat has a ``concern``; None leaves the drawn one.
        reader: understands the agent's messages.
        turns: most messages of the agent.
    """
    talks: list[ManagerTalk] = []
    for start in range(0, len(scenarios), BATCH):
        part = scenarios[start : start + BATCH]
        who = personas[start : start + BATCH] if personas else [None] * len(part)
        table = [open_negotiation(s, manager, p) for s, p in zip(part, who, strict=True)]
        for place, negotiation in enumerate(table):
            if concerns is not None and hasattr(negotiation.seat, "concern"):
                negotiation.seat.concern = concerns[start + place]
        talks += [ManagerTalk(n.scenario, str(getattr(n.seat, "persona_name", ""))) for n in table]
        _play(speak, start, table, talks, manager, reader, turns)
    return talks


def _play(
    speak: Speak,
    start: int,
    table: list[Negotiation],
    talks: list[ManagerTalk],
    manager: Manager,
    reader: Reader,
    turns: int,
) -> None:
    """Play the negotiations of one batch to their ends."""
    live = list(range(len(table)))
    unscored = Unscored()
    for _ in range(turns):
        live = [i for i in live if not table[i].game.end]
        texts = speak([start + i for i in live], [table[i] for i in live]) if live else []
        spoken = [(i, text) for i, text in zip(live, texts, strict=True) if text is not None]
        live = [i for i, _ in spoken]
        if not live:
            return
        steps = exchange([table[i] for i in live], [text for _, text in spoken], manager, unscored, reader)
        for i, step in zip(live, steps, strict=True):
            game, answer = table[i].game, step.answer
            talk = talks[start + i]
            decision = answer.decision
            faults = answer.faults + ((step.fault,) if step.fault else ())
            talk.turns.append(
                TalkTurn(
                    step.text, step.acts, answer.text, answer.acts,
                    game.bid, game.quote, game.quoted, game.agreed, game.refused,
                    _flags(decision.accept), _flags(decision.counter), faults,
                )
            )  # fmt: skip
            talk.end = End(int(game.end))


def _flags(trio: Trio) -> Trio:
    return (bool(trio[0]), bool(trio[1]), bool(trio[2]))


def played_by(policy: Policy) -> Speak:
    """Return a policy as the agent's side; a reply with a fault ends its talk."""

    def speak(places: Sequence[int], table: Sequence[Negotiation]) -> list[str | None]:
        replies = policy.reply([agent_view(n) for n in table])
        return [None if reply.fault is not None else reply.text for reply in replies]

    return speak


def said_in_turn(scripts: Sequence[Sequence[str]], rounds: int = 1) -> Speak:
    """Return scripts, one per talk, as the agent's side: each message in turn, the whole so many times over."""

    def speak(places: Sequence[int], table: Sequence[Negotiation]) -> list[str | None]:
        found: list[str | None] = []
        for place, negotiation in zip(places, table, strict=True):
            script, turn = scripts[place], int(negotiation.game.turn)
            found.append(script[turn % len(script)] if turn < rounds * len(script) else None)
        return found

    return speak


def scenarios_where(block: str, count: int, fits: Callable[[Scenario], bool] | None = None) -> list[Scenario]:
    """Return the first scenarios of a block that fit."""
    found: list[Scenario] = []
    for seed in BLOCKS[block]:
        if len(found) == count:
            break
        scenario = sample_scenario(seed)
        if fits is None or fits(scenario):
            found.append(scenario)
    return found


def silent(turn: TalkTurn) -> bool:
    """Whether the manager did not answer."""
    return all(act.kind is Act.SILENCE for act in turn.answer_acts)
