"""One exchange: the agents' replies of any number of negotiations, scored, and answered by the manager.

The text environment, its vector form and the rollout all step through here, with one negotiation or with many; what
is batched is what pays (scoring, and the manager's language model), and nothing depends on who else is in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

from negotiation_env.errors import UsageError
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.game.features import reply_features
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.moves import decision_of, move_of
from negotiation_env.game.scenario import Scenario, TaskCard, card_numbers, further_figures
from negotiation_env.game.state import (
    Claims,
    End,
    GameState,
    Move,
    Stage,
    apply_decision,
    apply_move,
    condition_of,
    new_game,
    settle,
    stage_of,
)
from negotiation_env.language.claims import Claim, find_claims
from negotiation_env.language.own_promises import has_own_promises, with_own_promises
from negotiation_env.language.reading import Reader, Reading, context_of, spoken
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.own_parts import Fault, answers_of, each_or_fault, is_ours, readings_of, scores_of
from negotiation_env.play.protocols import (
    AgentView,
    Manager,
    ManagerReply,
    Negotiation,
    ReplyView,
    Reward,
    RewardBreakdown,
    Utterance,
)

MAX_MESSAGE = 4000
"""Characters of an agent's message that are read and kept; the rest is cut off."""


class Exchange(NamedTuple):
    """What came of one agent reply."""

    text: str
    acts: tuple[DialogueAct, ...]
    reading: Reading
    stage: Stage
    """The stage in which the reply was made."""
    reward: RewardBreakdown
    answer: ManagerReply
    fault: str | None = None
    """Why the negotiation cannot go on: a reader or manager of the user's own has failed."""


def open_negotiation(scenario: Scenario, manager: Manager, persona: object | None = None) -> Negotiation:
    """Seat a manager for a scenario. ``persona``: name, path or object; None draws one from the scenario's seed."""
    game = new_game(FLOATS, card_numbers(scenario.card))
    return Negotiation(scenario, game, manager.start(scenario, persona))


def seated(scenario: Scenario, manager: Manager, persona: object | None = None) -> Negotiation | Fault:
    """Return a negotiation as ``open_negotiation`` does, or the fault where a manager of the user's own fails."""
    if is_ours(manager):
        return open_negotiation(scenario, manager, persona)
    (found,) = each_or_fault(lambda one: [open_negotiation(s, manager, persona) for s in one], [scenario], private=True)
    return found


def exchange(
    negotiations: Sequence[Negotiation],
    texts: Sequence[str],
    manager: Manager,
    reward: Reward,
    reader: Reader = RULES,
) -> list[Exchange]:
    """Play one reply in each negotiation (none may be over) and return what came of it, in order.

    What a reader or a reward raises leaves the negotiations as they were. What a manager raises leaves them with half a
    turn, since its own state cannot be taken back: they are not to be played on.
    """
    # Step by step for all, not one negotiation after the other: the interpreter is faster at what it has just done.
    said = [_cut(text) for text in texts]
    contexts = [
        context_of(n.card, n.game, "agent", n.manager_said[-1].text if n.manager_said else "") for n in negotiations
    ]
    faults: list[str | None] = [None] * len(said)
    readings: list[Reading] = []
    for place, found in enumerate(readings_of(reader, said, contexts)):
        if isinstance(found, Fault):
            faults[place] = f"reader: {found.cause}"
        readings.append(_UNREAD._replace(reader=reader.name) if isinstance(found, Fault) else found)
    checked = bool(getattr(reader, "checks_claims", False))
    if checked:
        readings = [
            meant._replace(claims=claims_in(text, n.card, n.game, n.agent_said, n.manager_said))
            for meant, text, n in zip(readings, said, negotiations, strict=True)
        ]
    readings = [
        with_own_promises(meant, text, context, reader) if has_own_promises(context.promises) else meant
        for meant, text, context in zip(readings, said, contexts, strict=True)
    ]
    taken = [
        take_in(text, meant, n.card, n.game, n.agent_said, n.manager_said, checked)
        for n, text, meant in zip(negotiations, said, readings, strict=True)
    ]
    views = [t.view for t in taken]
    rewards = scores_of(reward, views)
    for negotiation, (view, move, claims) in zip(negotiations, taken, strict=True):
        apply_move(FLOATS, negotiation.game, move, claims)
        negotiation.agent_said.append(Utterance(view.text, view.acts))
    answers: list[ManagerReply] = []
    for place, heard in enumerate(answers_of(manager, negotiations, [t.move for t in taken])):
        if isinstance(heard, Fault):
            cause = f"manager: {heard.cause}"
            faults[place] = faults[place] or cause
            heard = _silence(negotiations[place].game, cause)
        answers.append(heard)
    for negotiation, answer in zip(negotiations, answers, strict=True):
        apply_decision(FLOATS, negotiation.game, answer.decision)
        negotiation.manager_said.append(Utterance(answer.text, answer.acts))
    return [
        Exchange(view.text, view.acts, meant, view.stage, scored, answer, fault)
        for view, meant, scored, answer, fault in zip(views, readings, rewards, answers, faults, strict=True)
    ]


_UNREAD: Final = Reading((DialogueAct(Act.OFF_TOPIC),), (), 0.0)
"""In place of a reading that there is not."""


def _silence(game: GameState, fault: str) -> ManagerReply:
    """Return what stands in place of an answer that there is not."""
    acts = (DialogueAct(Act.SILENCE),)
    return ManagerReply("", acts, decision_of(acts, game), (fault,))


class Taken(NamedTuple):
    """A reply as understood in its situation, which nothing has changed yet."""

    view: ReplyView
    move: Move
    claims: Claims


def reply_view(
    text: str,
    card: TaskCard,
    game: GameState,
    agent_said: Sequence[Utterance] = (),
    manager_said: Sequence[Utterance] = (),
    reader: Reader = RULES,
) -> ReplyView:
    """Return what a reward would see of a reply that is not played, understood in its situation; nothing changes."""
    text = _cut(text)
    heard = manager_said[-1].text if manager_said else ""
    context = context_of(card, game, "agent", heard)
    (meant,) = reader.read([text], [context])
    checked = bool(getattr(reader, "checks_claims", False))
    if checked:
        meant = meant._replace(claims=claims_in(text, card, game, agent_said, manager_said))
    if has_own_promises(card.promises):
        meant = with_own_promises(meant, text, context, reader)
    return take_in(text, meant, card, game, agent_said, manager_said, checked).view


def reply_in(view: AgentView | ReplyView, text: str, reader: Reader = RULES) -> ReplyView:
    """Return what a reward would see of a text that is said in a view's situation; nothing changes."""
    return reply_view(text, view.card, view.game, view.agent_said, view.manager_said, reader)


def claims_in(
    text: str,
    card: TaskCard,
    game: GameState,
    agent_said: Sequence[Utterance],
    manager_said: Sequence[Utterance],
) -> tuple[Claim, ...]:
    """Return what an agent's message states about the card and the talk."""
    both = [u.text for pair in zip_longest(agent_said, manager_said) for u in pair if u is not None]
    claims = find_claims(spoken(text), card, game, both)
    if card.facts.more:  # a figure of the further facts is no false one of another fact
        told = {figure for figure, _ in further_figures(card.facts)}
        claims = tuple(c for c in claims if c.true or not isinstance(c.value, float) or abs(c.value) not in told)
    return claims


def _cut(text: str) -> str:
    """Return a reply, cut to what is read and kept."""
    if not isinstance(text, str):
        raise UsageError(f"expected the agent's message as a str, got {type(text).__name__}: pass text")
    return text[:MAX_MESSAGE]


def take_in(
    text: str,
    meant: Reading,
    card: TaskCard,
    game: GameState,
    agent_said: Sequence[Utterance],
    manager_said: Sequence[Utterance],
    checked: bool,
) -> Taken:
    """Say what a reply does, and describe it for the reward.

    Where its statements are ``checked``, they alone tell what is false: a figure of an act may be one of two.
    """
    move = move_of(meant.acts, card, game)
    if checked:
        false = {claim.kind for claim in meant.claims if not claim.true}
        over = move.overpromise or "promise" in false
        move = move._replace(false_fact=bool(false - {"promise"}), overpromise=over, promise=move.promise or over)
    claims = settle(FLOATS, game, move)
    features = reply_features(FLOATS, game, move, claims)
    stage = stage_of(game)
    view = ReplyView(card, game, stage, agent_said, manager_said, text, meant.words, meant.acts, features, meant.claims)
    return Taken(view, move, claims)


def end_of(game: GameState) -> str:
    """Return how a negotiation stands, in a word: "settled" only where something was agreed, else "no_deal"."""
    if game.end == End.SETTLED and not any(game.agreed):
        return "no_deal"
    return End(int(game.end)).name.lower()


def outcome_of(negotiation: Negotiation, truncated: bool = False, fault: str | None = None) -> dict[str, object]:
    """Return how a negotiation ended: public facts only."""
    game = negotiation.game
    end = "fault" if fault is not None else "truncated" if truncated else end_of(game)
    tickets = [
        {
            "room": ticket.room,
            "selling_price": ticket.selling_price,
            "agreed": round(game.agreed[k], 2) if game.agreed[k] > 0.0 else None,
            "refused": bool(game.refused[k]),
            "condition": condition_of(game, k),
        }
        for k, ticket in enumerate(negotiation.card.tickets)
    ]
    return {"end": end, "turns": int(game.turn), "tickets": tickets}
