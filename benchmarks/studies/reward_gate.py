"""E0 of the rewards' laboratory (``reward_lab``): what picking the best of n candidates by a reward does to replies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import comb
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.raters.panel import rate_turn
from benchmarks.raters.situation import Hidden, contexts, hidden_of, said_instead, walk
from benchmarks.statistics import Figure, mean
from benchmarks.studies.reading_quality import dialogues_of
from benchmarks.studies.written_raters import written_episode
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.language.reading import Reader
from negotiation_env.play.exchange import reply_in
from negotiation_env.play.protocols import AgentView, Policy, Reward, Unscored
from negotiation_env.play.records import Episode, recorded_views
from negotiation_env.play.registry import load_manager, load_policy
from negotiation_env.play.rollout import rollout
from negotiation_env.seeds import POLICY_LABEL, SCENARIOS, Stream
from rewards.repo import Composition
from simulators.people.written_dialogues import WrittenDialogue

Array = NDArray[np.float64]
POOL: Final = "pool:"
"""Begins a policy spec that names a split or file whose written replies are the candidates."""
PICKS: Final = {
    "model": Composition(without=frozenset({"judge", "rules"})),
    "repo": Composition(),
    "repo n=25": Composition(n=25.0),
    "repo n=400": Composition(n=400.0),
    "sum": Composition("sum"),
    "hero": Composition("hero"),
    "gate": Composition("gate"),
    "without rules": Composition(without=frozenset({"rules"})),
    "without judge": Composition(without=frozenset({"judge"})),
    "without model": Composition(without=frozenset({"model"})),
}
"""By what a candidate may be picked; beside them ``gdpo``, which needs the group, and ``raters``, the best there is."""
SIZES: Final = (1, 2, 4, 8, 16, 32, 64)
"""Of how many candidates the best is taken."""


class LabState(NamedTuple):
    """Candidates for one state, as arrays [candidates]."""

    dialogue: str
    sources: Array
    """[candidates, 3]: R_model, E_judge, E_func."""
    gold: Array
    """The panel's consensus, 1 to 5."""
    violations: Array
    """Severe findings of the panel."""


def sampled_episodes(policy: Policy, count: int) -> list[tuple[Episode, Hidden | None]]:
    """Return a policy's dialogues with the rule manager on the laboratory's scenarios."""
    scenarios = [sample_scenario(seed) for seed in SCENARIOS["reward lab"][:count]]
    played = rollout(policy, scenarios, manager=load_manager("rules"), reward=Unscored())
    return [(episode, hidden_of(episode, s)) for episode, s in zip(played, scenarios, strict=True)]


def sampled_candidates(policy: Policy, episode: Episode, count: int) -> list[list[str]]:
    """Return for each turn of a dialogue what the policy could say instead; replies that failed are left out."""
    seen = [
        AgentView(
            v.card, v.game, v.stage, v.agent_said, v.manager_said,
            FLOATS.fork(FLOATS.fork(episode.seed, POLICY_LABEL + turn), member),
        )
        for turn, v in enumerate(recorded_views(episode))
        for member in range(count)
    ]  # fmt: skip
    made = policy.reply(seen)
    return [
        [reply.text for reply in made[start : start + count] if reply.fault is None and reply.text]
        for start in range(0, len(made), count)
    ]


def written_candidates(dialogues: Sequence[WrittenDialogue], count: int) -> Iterator[list[list[str]]]:
    """Yield for each dialogue and turn the replies written for it, filled up with those of other states alike.

    Alike are states of the same turn (the sixth and later count as one) with as many tickets.
    """
    stock: dict[tuple[int, int], list[str]] = defaultdict(list)
    for dialogue in dialogues:
        for number, turn in enumerate(dialogue.turns):
            stock[min(number, 5), len(dialogue.tickets)] += [reply.text for reply in turn.replies]
    for place, dialogue in enumerate(dialogues):
        rng = np.random.default_rng((Stream.REWARD_LAB, 0, place))
        found = []
        for number, turn in enumerate(dialogue.turns):
            own, others = [r.text for r in turn.replies], stock[min(number, 5), len(dialogue.tickets)]
            chosen = rng.permutation(len(others))[: max(0, count - len(own))]
            found.append(list(dict.fromkeys([*own, *(others[int(i)] for i in chosen)])))
        yield found


def lab_states(
    episode: Episode, hidden: Hidden | None, candidates: Sequence[Sequence[str]], reward: Reward, reader: Reader
) -> Iterator[LabState]:
    """Yield a dialogue's states with what reward and raters say of each candidate; unscored ones are left out."""
    views = recorded_views(episode)
    for (now, record), context, view, texts in zip(
        walk(episode, hidden), contexts(episode), views, candidates, strict=True
    ):
        once = list(dict.fromkeys(texts))
        scored = reward.score([reply_in(view, t, reader) for t in once])
        rows: dict[str, tuple[float, ...]] = {}
        for text, found in zip(once, scored, strict=True):
            if found.model is not None and found.judge is not None and found.rules is not None:
                rated = rate_turn(now, said_instead(record, text, context)).consensus
                severe = sum(finding.severe for finding in rated.findings)
                rows[text] = (found.model, found.judge, found.rules, rated.score, float(severe))
        table = np.array([rows[text] for text in texts if text in rows])
        if len(table):
            yield LabState(episode.scenario_id, table[:, :3], table[:, 3], table[:, 4])


def proxies(state: LabState) -> dict[str, Array]:
    """Return by name the values by which each pick is made, [candidates]."""
    model, judge, rules = state.sources.T
    found = {name: np.asarray(composition.total(model, judge, rules)) for name, composition in PICKS.items()}
    spread = state.sources.std(axis=0)
    found["gdpo"] = ((state.sources - state.sources.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)).sum(axis=1)
    return found | {"raters": state.gold}


def best_of(proxy: Array, gold: Array, n: int) -> float:
    """Return what the pick of the highest proxy among n is worth, in the mean over all ways to draw n candidates.

    The candidate that k others lie below is the highest of comb(k, n - 1) draws; those of equal proxy share alike.
    """
    order = np.argsort(proxy, kind="stable")
    _, places = np.unique(proxy[order], return_inverse=True)
    shared = np.bincount(places, gold[order]) / np.bincount(places)
    weights = np.array([comb(k, n - 1) for k in range(len(gold))], dtype=np.float64) / comb(len(gold), n)
    return float(weights @ shared[places])


def gate(states: Iterable[LabState]) -> dict[str, Any]:
    """Return E0's curves: gold and violations by pick and n, and R_total's gain over the model at each n.

    A state with fewer candidates than n, for some were unscored or empty, gives the best of those that it has.
    """
    states = list(states)
    most = max((len(state.gold) for state in states), default=0)
    golds: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    harms: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    gains: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for state in states:
        values = proxies(state)
        for n in (n for n in SIZES if n <= most):
            drawn = min(n, len(state.gold))
            here = {name: best_of(proxy, state.gold, drawn) for name, proxy in values.items()}
            for name, proxy in values.items():
                golds[name, n][state.dialogue].append(here[name])
                harms[name, n][state.dialogue].append(best_of(proxy, state.violations, drawn))
            gains[n][state.dialogue].append(here["repo"] - here["model"])
    names = list(dict.fromkeys(name for name, _ in golds))
    return {
        "curves": {
            name: {
                str(n): {
                    "gold": mean(list(golds[name, n].values()), within=(1.0, 5.0)),
                    "violations": mean(list(harms[name, n].values())),
                }
                for n in SIZES
                if (name, n) in golds
            }
            for name in names
        },
        "repo_over_model": {str(n): mean(list(clusters.values())) for n, clusters in sorted(gains.items())},
        "total_with_model": total_with_model(states),
        "reordered": reordered(states),
    }


def total_with_model(states: Sequence[LabState]) -> float:
    """Return Pearson's correlation of R_total and R_model over all candidates."""
    model, judge, rules = np.concatenate([state.sources for state in states]).T
    return float(np.corrcoef(Composition().total(model, judge, rules), model)[0, 1])


def reordered(states: Sequence[LabState]) -> Figure:
    """Return how often R_total has the other of two candidates of a state first, of those that R_model tells apart."""
    found: dict[str, list[float]] = defaultdict(list)
    for state in states:
        model, judge, rules = state.sources.T
        total = np.asarray(Composition().total(model, judge, rules))
        one, other = np.triu_indices(len(model), 1)
        apart = model[one] != model[other]
        turned = (model[one] - model[other]) * (total[one] - total[other]) < 0.0
        if apart.any():
            found[state.dialogue].append(float(turned[apart].mean()))
    return mean(list(found.values()), within=(0.0, 1.0))


def run_gate(policy: str, reward: Reward, reader: Reader, dialogues: int, count: int) -> dict[str, Any]:
    """Run E0 on so many dialogues and candidates of a policy, or of ``pool:`` and a split or file."""
    if policy.startswith(POOL):
        written = dialogues_of(policy.removeprefix(POOL))[:dialogues]
        records: list[tuple[Episode, Hidden | None]] = [
            (written_episode(d), Hidden(tuple(round(ticket.floor) for ticket in d.tickets))) for d in written
        ]
        candidates = list(written_candidates(written, count))
    else:
        player = load_policy(policy)
        records = sampled_episodes(player, dialogues)
        candidates = [sampled_candidates(player, episode, count) for episode, _ in records]
    return gate(
        state
        for (episode, hidden), own in zip(records, candidates, strict=True)
        for state in lab_states(episode, hidden, own, reward, reader)
    )
