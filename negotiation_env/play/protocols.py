"""A negotiation in progress, and the protocols of manager, reward and policy.

The private side is kept apart by type: a ``ReplyView`` (for rewards) and an ``AgentView`` (for policies) hold public
things only; a manager alone is handed the ``Negotiation`` with its scenario's brief and its own ``seat``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from negotiation_env.game.acts import DialogueAct
from negotiation_env.game.lanes import Lanes, Num, Trio
from negotiation_env.game.scenario import CardNumbers, Scenario, TaskCard
from negotiation_env.game.state import Decision, GameState, Move, Stage
from negotiation_env.language.claims.talk import Claim


class Utterance(NamedTuple):
    """One side's message and what it means."""

    text: str
    acts: tuple[DialogueAct, ...]


class ManagerReply(NamedTuple):
    """A manager's answer. ``text`` is "" for silence.

    ``faults`` names what went wrong while it was worded; it goes into records, so it tells nothing private.
    """

    text: str
    acts: tuple[DialogueAct, ...]
    decision: Decision
    faults: tuple[str, ...] = ()


@dataclass(slots=True)
class Negotiation:
    """One negotiation in progress: the public state, the dialogue, and the manager's own state (``seat``)."""

    scenario: Scenario
    game: GameState
    seat: Any
    """Opaque to everyone but the manager that made it."""
    agent_said: list[Utterance] = field(default_factory=list)
    manager_said: list[Utterance] = field(default_factory=list)

    @property
    def card(self) -> TaskCard:
        """The agent's side of the scenario."""
        return self.scenario.card


class RewardTerm(NamedTuple):
    """One named contribution to a reward source, in points; ``message`` says why."""

    source: str
    id: str
    points: float
    message: str = ""


class RewardBreakdown(NamedTuple):
    """REPO's reward of one reply, by source; a source that could not score is None, and then so is ``total``."""

    total: float | None
    model: float | None
    """R_model, from the preference-trained reward model (unbounded, centred near 0)."""
    judge: float | None
    """E_judge, in points."""
    rules: float | None
    """E_func, in points."""
    enhancement: float | None
    """E_enh = clip(E_judge + E_func, -n, n), in points."""
    terms: tuple[RewardTerm, ...] = ()
    fault: str | None = None


class ReplyView(NamedTuple):
    """All that a reward may see of one agent reply: the public state before it, and the reply."""

    card: TaskCard
    game: GameState
    """The public state before the reply; read only."""
    stage: Stage
    agent_said: Sequence[Utterance]
    """The agent's earlier messages, oldest first, without this reply."""
    manager_said: Sequence[Utterance]
    text: str
    words: tuple[str, ...]
    """Lower-cased words of ``text``, as understanding split them."""
    acts: tuple[DialogueAct, ...]
    features: tuple[float, ...]
    """Act-level features in the order of ``features.FEATURES``."""
    claims: tuple[Claim, ...] = ()
    """What ``text`` states about the card and the talk, checked; empty where its reader checks none."""


class AgentView(NamedTuple):
    """All that a policy may see when it writes its next reply."""

    card: TaskCard
    game: GameState
    """The public state; read only."""
    stage: Stage
    agent_said: Sequence[Utterance]
    manager_said: Sequence[Utterance]
    seed: int
    """Seed of this reply's random draws, a function of the episode's seed and the turn."""


class AgentReply(NamedTuple):
    """A policy's reply; token ids and log-probabilities are empty where no language model made it."""

    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    fault: str | None = None


@runtime_checkable
class Manager(Protocol):
    """The hotel's side of the text environment."""

    name: str

    def start(self, scenario: Scenario, persona: object | None = None) -> Any:
        """Return the manager's private state for a new negotiation. ``persona``: name, path, object; None samples."""
        ...

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[ManagerReply]:
        """Answer each agent's last message; ``game`` already holds the agent's move. Updates each ``seat``."""
        ...


@runtime_checkable
class ManagerDynamics(Protocol):
    """The manager's decisions without words, for one negotiation or for N (see ``lanes``)."""

    def start(self, lanes: Lanes, seed: Num, card: CardNumbers, floors: Trio, persona: Num | None = None) -> Any:
        """Return the private state; ``persona`` holds persona positions, None draws them from the seed."""
        ...

    def decide(self, lanes: Lanes, seat: Any, game: GameState, move: Move) -> Decision:
        """Answer a move and update ``seat``."""
        ...


@runtime_checkable
class Reward(Protocol):
    """Scores agent replies, in batches, from public things alone."""

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        """Score replies as text; one breakdown each, in order."""
        ...

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        """Score moves without text: the breakdown's numbers are floats or arrays [N]; no terms."""
        ...


@runtime_checkable
class Policy(Protocol):
    """The agent's side. Stateless: everything it needs is in the view, so lanes can be batched in any order.

    A policy without a model that words its acts with the phrase book may say so by an attribute ``parallel = True``: a
    benchmark then plays it in worker processes, and its messages are read by ``rules``.
    """

    name: str

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Write the next reply for each view."""
        ...


_NONE = RewardBreakdown(None, None, None, None, None)


class Unscored:
    """Returns an unscored breakdown for every reply, without a fault."""

    def score(self, replies: Sequence[ReplyView]) -> list[RewardBreakdown]:
        """Return one unscored breakdown per reply."""
        return [_NONE] * len(replies)

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> RewardBreakdown:
        """Return an unscored breakdown."""
        return _NONE
