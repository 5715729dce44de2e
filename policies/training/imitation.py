"""Demonstrations by an expert, in its own states or in a learner's: ``negotiate data sft``.

What a learner does wrong takes it where the expert never stands, so data of the expert's own dialogues do not say how
to go on from there. Here the learner plays, now and then the expert in its place, and the expert says in every state
what it would have said: DAgger (Ross et al. 2011, arXiv 1011.0686). The expert is the intent-driven system, which knows
the procedure, in several wordings, among which the reward chooses; where all of them break a rule, as when the manager
asks for what nobody may give, it declines first. A share of the states are those of written dialogues, in which hotels
speak as people do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import TaskCard, sample_scenario
from negotiation_env.play.exchange import reply_in
from negotiation_env.play.prompts import prompt
from negotiation_env.play.protocols import AgentReply, AgentView, Manager, Policy, Reward, Unscored
from negotiation_env.play.registry import load_policy, reader_for
from negotiation_env.play.rollout import rollout
from negotiation_env.seeds import SCENARIOS, Stream
from policies.training.distillation import PER_ROUND
from simulators.people.demonstrations import declining
from simulators.people.graded_replies import turn_states
from simulators.people.training_files import TEST, TRAIN, Demonstration
from simulators.people.written_dialogues import written_dialogues

SOURCE = "expert"
TEST_SHARE = 0.1
"""Share of lines that belong to the test split, of scenarios of their own."""
WRITTEN = 0.3
"""Share of lines whose states are those of written dialogues in English."""
WORDINGS = 4
"""Replies among which the reward chooses."""
_CHINESE = "\u2e80"
"""First of the characters that no English dialogue has."""
_WHO = 17
"""Channel of the draw that says who plays on."""


class Expert:
    """Says the best of several wordings that break no rule (E_func of 0 or more), or nothing where there is none.

    Args:
        reward: the composed reward; R_total chooses, E_func rules out.
        policy: whose replies, drawn by ``AgentView.seed``.
        wordings: replies drawn in each state.
    """

    name = SOURCE

    def __init__(self, reward: Reward, policy: str = "intent-driven", wordings: int = WORDINGS) -> None:
        self.reward, self.wordings = reward, wordings
        self.policy = load_policy(policy)
        self.reader = reader_for(self.policy)

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Return one reply per view, in order; an empty one where every wording breaks a rule."""
        drawn = [self._drawn(view) for view in views]
        best = self._best(views, drawn)
        stuck = [place for place, text in enumerate(best) if not text]
        declined = [self._declined(views[place], drawn[place]) for place in stuck]
        for place, text in zip(stuck, self._best([views[place] for place in stuck], declined), strict=True):
            best[place] = text
        return [AgentReply(text) for text in best]

    def _drawn(self, view: AgentView) -> list[str]:
        seeds = (FLOATS.fork(view.seed, place) for place in range(self.wordings))
        return [reply.text for reply in self.policy.reply([view._replace(seed=seed) for seed in seeds])]

    def _declined(self, view: AgentView, texts: Sequence[str]) -> list[str]:
        """Return a text for each thing that nobody may give, which declines it first."""
        rng = np.random.default_rng((Stream.DEMONSTRATION, view.seed))
        lines = [str(rng.choice(declining()[kind][TRAIN])) for kind in sorted(declining())]
        return [f"{line} {text}" for line, text in zip(lines, cycle(texts))]

    def _best(self, views: Sequence[AgentView], texts: Sequence[Sequence[str]]) -> list[str]:
        """Return the best sound text for each view, or an empty one."""
        seen = [reply_in(view, text, self.reader) for view, some in zip(views, texts, strict=True) for text in some]
        scores = iter(self.reward.score(seen) if seen else ())
        best = []
        for some in texts:
            graded = [
                (score.total, text)
                for text, score in zip(some, islice(scores, len(some)), strict=True)
                if score.total is not None and (score.rules or 0.0) >= 0.0
            ]
            best.append(max(graded, default=(0.0, ""))[1])
        return best


class ShadowedPolicy:
    """A learner with an expert beside it, whose replies are kept, and now and then played in the learner's place.

    Args:
        learner: whose states; also plays where the expert has nothing to say.
        expert: whose replies are kept.
        beside: share of turns, in [0, 1], in which the expert plays.
    """

    name = "shadowed"

    def __init__(self, learner: Policy, expert: Policy, beside: float) -> None:
        self.learner, self.expert, self.beside = learner, expert, beside
        self.kept: list[tuple[TaskCard, tuple[ChatMessage, ...], str]] = []
        """Card, prompt and the expert's reply."""

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Return one reply per view, in order."""
        answers = self.expert.reply(views)
        # The prompt is written now: play goes on in the view's own state.
        self.kept += [
            (view.card, prompt(view), answer.text) for view, answer in zip(views, answers, strict=True) if answer.text
        ]
        own = [
            place
            for place, (view, answer) in enumerate(zip(views, answers, strict=True))
            if not answer.text or FLOATS.draw(view.seed, _WHO, 0) >= self.beside
        ]
        said = dict(zip(own, self.learner.reply([views[place] for place in own]), strict=True)) if own else {}
        return [said.get(place, answer) for place, answer in enumerate(answers)]


def expert_demonstrations(
    n: int,
    seed: int = 0,
    *,
    learner: Policy | None = None,
    beside: float = 0.3,
    manager: Manager,
    reward: Reward,
    max_turns: int = 12,
    batch_size: int = 64,
) -> Iterator[Demonstration]:
    """Yield ``n`` lines of what the expert says in the states of whoever plays, the test split last.

    Args:
        n: lines.
        seed: which scenarios, 0 to 99; those of other seeds are others. The written dialogues are the same.
        learner: whose states; None for the intent-driven system's and the expert's own.
        beside: share of a learner's turns in which the expert plays in its place.
        manager: the hotel's side.
        reward: chooses among the expert's wordings.
        max_turns: most turns of a dialogue.
        batch_size: dialogues in play at a time.
    """
    player, expert = learner or load_policy("intent-driven"), Expert(reward)
    shadowed = ShadowedPolicy(player, expert, 1.0 if learner is None else beside)
    held = round(TEST_SHARE * n)
    for split, first, count in ((TRAIN, 0, n - held), (TEST, PER_ROUND // 2, held)):
        written = round(WRITTEN * count)
        yield from islice(_of_written(split, seed, expert, batch_size), written)
        left, place = count - written, seed * PER_ROUND + first
        while left:
            some = [sample_scenario(found) for found in SCENARIOS["distilled data"][place : place + batch_size]]
            place += batch_size
            shadowed.kept = []
            rollout(
                shadowed,
                some,
                manager=manager,
                reward=Unscored(),
                reader=reader_for(player),
                max_turns=max_turns,
                batch_size=batch_size,
            )
            names = {scenario.card: scenario.id for scenario in some}
            # Of the last batch some are left out, of any turn: as played, the openings come first.
            for i in np.random.default_rng((Stream.DEMONSTRATION, place)).permutation(len(shadowed.kept))[:left]:
                card, written, text = shadowed.kept[i]
                yield Demonstration(written, text, SOURCE, names[card], split)
            left -= min(left, len(shadowed.kept))


def _of_written(split: str, seed: int, expert: Expert, batch_size: int) -> Iterator[Demonstration]:
    """Yield what the expert says in the states of written dialogues of the split's authors, without end."""
    dialogues = written_dialogues("train" if split == TRAIN else "validation")
    states = [(d.id, state) for d in dialogues if max("".join(d.texts)) < _CHINESE for state in turn_states(d)]
    rng = np.random.default_rng((Stream.DEMONSTRATION, seed, len(states)))
    while True:
        order = rng.permutation(len(states))
        for start in range(0, len(order), batch_size):
            some = [states[int(i)] for i in order[start : start + batch_size]]
            views = [state.due(int(rng.integers(1 << 62))) for _, state in some]
            for (name, _), view, answer in zip(some, views, expert.reply(views), strict=True):
                if answer.text:
                    yield Demonstration(prompt(view), answer.text, SOURCE, f"written/{name}", split)
