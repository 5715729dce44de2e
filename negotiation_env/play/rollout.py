"""Batched rollouts: a policy against a manager over many scenarios, in lock-step, as episode records.

An episode's transcript does not depend on the batch it was played in. A fault of the policy, or of a user's own manager
or reader, ends its own episode only, which is recorded with the cause; one of the reward leaves the reply unscored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from negotiation_env import __version__
from negotiation_env.errors import UsageError
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import Scenario, card_numbers
from negotiation_env.game.state import condition_of, new_game, stage_of
from negotiation_env.language.reading import Reader, reader_label
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.exchange import Exchange, end_of, exchange, seated
from negotiation_env.play.own_parts import Fault, replies_of
from negotiation_env.play.protocols import AgentReply, AgentView, Manager, Negotiation, Policy, Reward
from negotiation_env.play.records import Episode, TicketOutcome, TurnRecord
from negotiation_env.seeds import POLICY_LABEL


@dataclass(slots=True)
class _RolloutTable:
    """An episode in progress: where it goes in the result, and what has been recorded."""

    place: int
    negotiation: Negotiation
    policy_seed: int | None
    turns: list[TurnRecord] = field(default_factory=list)
    fault: str | None = None


def agent_view(negotiation: Negotiation, policy_seed: int | None = None) -> AgentView:
    """Return what a policy may see of a negotiation; its draws are seeded by the scenario unless ``policy_seed`` is."""
    game = negotiation.game
    base = negotiation.scenario.seed if policy_seed is None else policy_seed
    seed = FLOATS.fork(base, POLICY_LABEL + int(game.turn))
    said = negotiation.agent_said, negotiation.manager_said
    return AgentView(negotiation.card, game, stage_of(game), said[0], said[1], seed)


def rollout(
    policy: Policy,
    scenarios: Sequence[Scenario],
    *,
    manager: Manager,
    reward: Reward,
    reader: Reader = RULES,
    personas: Sequence[object | None] | None = None,
    policy_seeds: Sequence[int | None] | None = None,
    max_turns: int = 20,
    batch_size: int = 64,
) -> list[Episode]:
    """Play every scenario once and return the episodes in the scenarios' order.

    Args:
        policy: the agent.
        scenarios: what to play; the manager's persona is drawn from each scenario's seed, unless ``personas`` says.
        manager: the hotel's side.
        reward: scores every reply.
        reader: understands the agent's messages; ``registry.reader_for`` says which one suits a policy.
        personas: one per scenario (name, path, object, or None to draw).
        policy_seeds: one per scenario, from which the policy's draws are made; None takes the scenario's own. So the
            policy's draws can vary while the manager's stay as they are, and the other way round.
        max_turns: agent turns after which an episode is truncated, at least 1.
        batch_size: episodes in play at a time, at least 1; a finished one is replaced at once.

    Raises:
        UsageError: on a number out of range, or lists of other lengths than the scenarios'.
    """
    found = dict(
        finished_episodes(
            policy,
            scenarios,
            manager=manager,
            reward=reward,
            reader=reader,
            personas=personas,
            policy_seeds=policy_seeds,
            max_turns=max_turns,
            batch_size=batch_size,
        )
    )
    return [found[place] for place in range(len(scenarios))]


def finished_episodes(
    policy: Policy,
    scenarios: Sequence[Scenario],
    *,
    manager: Manager,
    reward: Reward,
    reader: Reader = RULES,
    personas: Sequence[object | None] | None = None,
    policy_seeds: Sequence[int | None] | None = None,
    max_turns: int = 20,
    batch_size: int = 64,
) -> Iterator[tuple[int, Episode]]:
    """Play every scenario once and yield each episode with its scenario's place, as they finish; see ``rollout``."""
    if max_turns < 1 or batch_size < 1:
        raise UsageError(f"expected max_turns >= 1 and batch_size >= 1, got {max_turns} and {batch_size}")
    if personas is not None and len(personas) != len(scenarios):
        raise UsageError(f"expected one persona per scenario ({len(scenarios)}), got {len(personas)}")
    if policy_seeds is not None and len(policy_seeds) != len(scenarios):
        raise UsageError(f"expected one policy seed per scenario ({len(scenarios)}), got {len(policy_seeds)}")
    chosen = personas or [None] * len(scenarios)
    own_seeds = policy_seeds or [None] * len(scenarios)
    waiting = iter(range(len(scenarios)))
    tables: list[_RolloutTable] = []
    while True:
        while len(tables) < batch_size and (place := next(waiting, None)) is not None:
            tables.append(_opened(place, scenarios[place], manager, chosen[place], own_seeds[place]))
        if not tables:
            return
        _play_turn(tables, policy, manager, reward, reader)
        still: list[_RolloutTable] = []
        for table in tables:
            if table.fault is None and not table.negotiation.game.end and len(table.turns) < max_turns:
                still.append(table)
                continue
            yield table.place, _episode(table, policy, manager, reader)
        tables = still


def _opened(
    place: int, scenario: Scenario, manager: Manager, persona: object | None, policy_seed: int | None
) -> _RolloutTable:
    """Open a negotiation; a manager of the user's own that cannot be seated is the fault of this one."""
    found = seated(scenario, manager, persona)
    if isinstance(found, Fault):
        empty = Negotiation(scenario, new_game(FLOATS, card_numbers(scenario.card)), None)
        return _RolloutTable(place, empty, policy_seed, fault=f"manager: {found.cause}")
    return _RolloutTable(place, found, policy_seed)


def _play_turn(
    tables: Sequence[_RolloutTable], policy: Policy, manager: Manager, reward: Reward, reader: Reader
) -> None:
    """One reply and one answer at every table; a table whose policy failed is marked."""
    tables = [table for table in tables if table.fault is None]
    if not tables:
        return
    replies = replies_of(policy, [agent_view(table.negotiation, table.policy_seed) for table in tables])
    if len(replies) != len(tables):
        raise UsageError(f"expected {len(tables)} replies from policy {policy.name!r}, got {len(replies)}")
    live: list[tuple[_RolloutTable, AgentReply]] = []
    for table, reply in zip(tables, replies, strict=True):
        if reply.fault is None:
            live.append((table, reply))
        else:
            table.fault = reply.fault
    if live:
        played = exchange([t.negotiation for t, _ in live], [r.text for _, r in live], manager, reward, reader)
        for (table, reply), step in zip(live, played, strict=True):
            table.turns.append(turn_record(step, reply))
            table.fault = step.fault


def turn_record(step: Exchange, reply: AgentReply) -> TurnRecord:
    """Return the record of an exchange."""
    faults = step.answer.faults + ((f"reward: {step.reward.fault}",) if step.reward.fault else ())
    return TurnRecord(
        text=step.text,
        acts=step.acts,
        stage=step.stage,
        reward=step.reward,
        answer=step.answer.text,
        answer_acts=step.answer.acts,
        token_ids=reply.token_ids,
        logprobs=reply.logprobs,
        faults=faults,
        confidence=step.reading.confidence,
    )


def _episode(table: _RolloutTable, policy: Policy, manager: Manager, reader: Reader) -> Episode:
    return episode_record(
        table.negotiation, table.turns, policy.name, manager.name, reader, table.fault, table.policy_seed
    )


def episode_record(
    negotiation: Negotiation,
    turns: Sequence[TurnRecord],
    policy: str,
    manager: str,
    reader: Reader,
    fault: str | None = None,
    policy_seed: int | None = None,
) -> Episode:
    """Return the record of a negotiation as it stands; one that has not ended is recorded as truncated."""
    game, scenario = negotiation.game, negotiation.scenario
    end = end_of(game) if game.end else "truncated"
    if fault is not None:
        end = "fault"
    tickets = tuple(
        TicketOutcome(
            ticket.room,
            ticket.selling_price,
            ticket.target_price,
            round(game.agreed[k], 4) if game.agreed[k] > 0.0 else None,
            bool(game.refused[k]),
            condition_of(game, k),
        )
        for k, ticket in enumerate(scenario.card.tickets)
    )
    return Episode(
        scenario_id=scenario.id,
        seed=scenario.seed,
        policy=policy,
        manager=manager,
        card=scenario.card,
        turns=tuple(turns),
        end=end,
        tickets=tickets,
        persona=str(getattr(negotiation.seat, "persona_name", "")),
        fault=fault,
        policy_seed=policy_seed,
        versions={"negotiation-env": __version__, "reader": reader_label(reader)},
    )


def answered_first(episode: Episode) -> bool:
    """Whether the hotel answered the first message."""
    silent: tuple[DialogueAct, ...] = (DialogueAct(Act.SILENCE),)
    return bool(episode.turns) and episode.turns[0].answer_acts != silent
