"""Negotiations as an environment of the ``verifiers`` library, version 0.4 (``verifiers.v1``).

    environment = load_environment(scenarios=8)
    async with environment.serving():
        episode = await environment.run_episode(next(iter(environment.taskset)), model_context)

An episode is one negotiation: its task's prompt is the opening, each assistant message is a turn of the text
environment, and the manager's answer is the next user message. ``repo`` is the reward of the episode: the mean (or the
sum, ``task.credit``) of R_total over its replies. Each reward source, success and the count of replies are metrics.
``trace.info["negotiation"]`` holds what the text environment gives as ``info``: the breakdown, stage and fault of each
turn, and the outcome. The scenario's hidden side (floors, brief, the manager's state) is in no task, prompt or trace.

As with TRL's rollout function (``trl_grpo``) a sample is a whole dialogue in one growing chat, and the prompt stays the
opening's. A trainer that learns from an episode's reward loses credit for single replies; ``assign_turn_advantages``
keeps it, for a trainer that reads the advantages of a trace's nodes, as prime-rl does. A dialogue of which no reply was
scored is an error of its trace, not a reward of 0. Playing a turn blocks the event loop for as long as manager and
reward take.

``verifiers`` finds an environment by the name of a top-level module; ``environments/hotel_negotiation`` is that module
as a package of its own, for ``vf-eval hotel-negotiation``. Within a process ``load_environment`` is enough. Needs the
``verifiers`` extra, in an environment of its own: verifiers wants openai < 3.

``python environments/hotel_negotiation/example.py`` plays some negotiations on the CPU and without a
network: the model is a rule behind an OpenAI-compatible server on this machine's loopback; ``--base-url`` and
``--model`` name a real one instead.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from statistics import fmean
from typing import Annotated, Any, Literal

import httpx
import verifiers.v1 as vf
from pydantic import Field
from verifiers.v1.dialects.chat import message_to_wire

from negotiation_env.engines.answers import without_reasoning
from negotiation_env.envs.text import TextLane, plain_info
from negotiation_env.errors import UsageError
from negotiation_env.files import known
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.agent_prompts import PROMPTS
from negotiation_env.play.exchange import exchange, open_negotiation, seated
from negotiation_env.play.own_parts import Fault
from negotiation_env.play.prompts import NO_ANSWER
from negotiation_env.play.registry import AUTO, load_manager, load_reward, reader_for
from negotiation_env.play.rollout import agent_view
from policies.turn_credit import Scale, turn_advantages

__all__ = [
    "ChatHarness",
    "ChatHarnessConfig",
    "NegotiationData",
    "NegotiationEnv",
    "NegotiationEnvConfig",
    "NegotiationTask",
    "NegotiationTaskConfig",
    "NegotiationTaskset",
    "NegotiationTasksetConfig",
    "assign_turn_advantages",
    "load_environment",
]

PLUGIN = "hotel-negotiation"
"""The id under which verifiers finds taskset, harness and environment: the module ``hotel_negotiation``."""
RECORD = "negotiation"
"""Where a trace's ``info`` holds the turns and the outcome."""
SOURCES = ("model", "judge", "rules", "enhancement")


class NegotiationData(vf.TaskData):
    """One scenario: the opening as prompt, and the seed that the rest is drawn from."""

    seed: int


class NegotiationTaskConfig(vf.TaskConfig):
    """How a dialogue's replies make up its reward."""

    credit: Literal["mean", "sum"] = "mean"
    """Mean: talking on does not pay. Sum: the return of the text environment."""


class NegotiationTask(vf.Task[NegotiationData, vf.State, NegotiationTaskConfig]):
    """Reward and metrics of one dialogue, read from what its trace recorded."""

    @vf.reward
    async def repo(self, trace: vf.Trace) -> float:
        """Return the mean, or the sum, of R_total over the replies that were scored."""
        totals = _scores(trace, "total")
        if not totals:
            raise vf.TaskError("expected at least one scored reply, got none: see the faults in the trace's info")
        return fmean(totals) if self.config.credit == "mean" else sum(totals)

    @vf.metric
    async def metrics(self, trace: vf.Trace) -> dict[str, float]:
        """Return means over replies by reward source (points; a source that scored none is left out), and counts.

        ``success`` is the share of tickets for which a price below the selling price was agreed.
        """
        found = {source: fmean(scores) for source in SOURCES if (scores := _scores(trace, source))}
        record = trace.info.get(RECORD, {"turns": [], "outcome": {"tickets": []}})
        tickets = record.get("outcome", {}).get("tickets", [])
        won = sum(t["agreed"] is not None and t["agreed"] < t["selling_price"] for t in tickets)
        replies = len(record["turns"])
        return found | {
            "success": won / max(len(tickets), 1),
            "replies": float(replies),
            "unscored": float(replies - len(_scores(trace, "total"))),
        }


def _scores(trace: vf.Trace, source: str) -> list[float]:
    """Return one source's scores of a trace's replies, unscored ones left out."""
    turns = trace.info.get(RECORD, {}).get("turns", [])
    return [turn["reward"][source] for turn in turns if turn["reward"][source] is not None]


class NegotiationTasksetConfig(vf.TasksetConfig):
    """Which scenarios are played."""

    first_seed: int = Field(0, ge=0)
    """Seed of the first scenario. The benchmark's own lie between 1,000,000 and 2,000,000."""
    scenarios: int = Field(64, ge=1)
    """How many, with consecutive seeds."""
    prompt: Annotated[str, known(PROMPTS, "a prompt")] = "plain"
    """Which of ``play.agent_prompts`` opens the chat, as policies' option ``prompt``."""
    task: NegotiationTaskConfig = NegotiationTaskConfig()


class NegotiationTaskset(vf.Taskset[NegotiationTask, NegotiationTasksetConfig]):
    """Scenarios drawn from consecutive seeds, as tasks."""

    def load(self) -> Iterator[NegotiationTask]:
        """Yield one task a scenario."""
        # The opening depends on the card alone, whoever the manager will be.
        manager = load_manager("rules")
        for seed in range(self.config.first_seed, self.config.first_seed + self.config.scenarios):
            view = agent_view(open_negotiation(sample_scenario(seed), manager))
            system, opens = PROMPTS[self.config.prompt].write(view)
            data = NegotiationData(
                name=f"scenario-{seed}", seed=seed, system_prompt=system["content"], prompt=opens["content"]
            )
            yield NegotiationTask(data, self.config.task)


class ChatHarnessConfig(vf.HarnessConfig):
    """No settings of its own."""

    id: str = PLUGIN


class ChatHarness(vf.Harness[ChatHarnessConfig]):
    """One chat completion a turn, within this process: the agent has no tools and runs no program."""

    APPENDS_SYSTEM_PROMPT = True
    SUPPORTS_RESUME = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: vf.TaskData,
    ) -> vf.ProgramResult:
        """Ask the model for its next message; the server behind ``endpoint`` records it in the trace."""
        system, asked = self.resolve_prompt(data)
        spoken = [vf.UserMessage(content=asked)] if isinstance(asked, str) else list(asked or ())
        if system is not None:
            spoken.insert(0, vf.SystemMessage(content=system))
        body = {"model": ctx.model, "messages": [message_to_wire(message) for message in spoken]}
        # How long a reply may take is the agent's own timeout to say.
        async with httpx.AsyncClient(timeout=httpx.Timeout(None, connect=30.0)) as client:
            answer = await client.post(
                f"{endpoint}/chat/completions", json=body, headers={"Authorization": f"Bearer {secret}"}
            )
        refused = "" if answer.is_success else f"expected a chat completion, got status {answer.status_code}"
        return vf.ProgramResult(exit_code=int(bool(refused)), stdout="", stderr=refused)


class NegotiationEnvConfig(vf.SingleAgentEnvConfig):
    """Who plays: the agent, the hotel's side, the reward, and how long."""

    # The default runtime is a remote sandbox; this harness runs nothing.
    agent: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())
    manager: str = "rules"
    """Name of the hotel's side, as ``gymnasium.make`` takes it."""
    reward: str = "repo"
    """Name of the reward, as ``gymnasium.make`` takes it."""
    reader: str = AUTO
    """Name of who reads the agent's messages; ``"auto"`` takes what suits a language model."""
    max_turns: int = Field(20, ge=1, le=200)
    """Agent turns after which a dialogue is truncated."""


class NegotiationEnv(vf.Env[NegotiationEnvConfig]):
    """One agent talks; this project's manager answers.

    Raises:
        UsageError: on an unknown manager, reward or reader.
    """

    def __init__(self, config: NegotiationEnvConfig) -> None:
        super().__init__(config)
        self._manager, self._reward = load_manager(config.manager), load_reward(config.reward)
        self._reader = reader_for(None, config.reader)

    async def run(self, task: NegotiationTask, agents: vf.Agents) -> None:
        """Play one negotiation to its end, to ``max_turns``, or until the model fails."""
        # Private to this call: nothing of it but the public ``info`` reaches the trace.
        negotiation = seated(sample_scenario(task.data.seed), self._manager)
        if isinstance(negotiation, Fault):
            raise RuntimeError(f"manager: {negotiation.cause}")  # verifiers records what is raised
        lane = TextLane(negotiation, self.config.max_turns)
        async with agents.agent.interaction(task) as talk:
            turns: list[Mapping[str, Any]] = []
            record: dict[str, Any] = {"turns": turns}
            talk.trace.info[RECORD] = record
            said = await talk.turn()
            while not said.terminated:
                text = without_reasoning(said.last_reply) or ""
                (step,) = exchange([negotiation], [text], self._manager, self._reward, self._reader)
                _, ended, truncated, info = lane.take(step)
                turns.append({name: told for name, told in plain_info(info).items() if name != "outcome"})
                if ended or truncated:
                    record["outcome"] = info["outcome"]
                    talk.trace.stop("max_turns" if truncated else info["outcome"]["end"])
                    break
                said = await talk.turn(step.answer.text or NO_ANSWER)


def load_environment(
    first_seed: int = 0,
    scenarios: int = 64,
    manager: str = "rules",
    reward: str = "repo",
    max_turns: int = 20,
    credit: Literal["mean", "sum"] = "mean",
    reader: str = AUTO,
    prompt: str = "plain",
) -> NegotiationEnv:
    """Return the environment, ready to serve.

    Args:
        first_seed: seed of the first scenario.
        scenarios: how many are played, with consecutive seeds.
        manager: name of the hotel's side, as ``gymnasium.make`` takes it.
        reward: name of the reward, as ``gymnasium.make`` takes it.
        max_turns: agent turns of a dialogue, 1 to 200.
        credit: how the replies' R_total make up the reward: "mean" or "sum".
        reader: name of who reads the agent's messages; "auto" takes what suits a language model.
        prompt: which prompt opens the chat: "plain", "guided" or "compact", see ``play.agent_prompts``.

    Raises:
        UsageError: on a value out of range or an unknown name.
    """
    # verifiers opens its plug-ins by the name of a top-level module; this one answers to that name.
    module = PLUGIN.replace("-", "_")
    if module not in sys.modules and find_spec(module) is None:
        sys.modules[module] = sys.modules[__name__]
    taskset = {"id": PLUGIN, "first_seed": first_seed, "scenarios": scenarios, "prompt": prompt}
    taskset["task"] = {"credit": credit}
    try:
        config = NegotiationEnvConfig.model_validate(
            {"taskset": taskset, "manager": manager, "reward": reward, "reader": reader, "max_turns": max_turns}
        )
    except ValueError as error:
        raise UsageError(f"expected an environment's settings, got {error}") from error
    return NegotiationEnv(config)


def assign_turn_advantages(episodes: Sequence[vf.Episode], turn_discount: float = 0.0, scale: Scale = "none") -> None:
    """Give each reply's tokens the advantage of that reply over the same turn of the group's other dialogues.

    This is an algorithm's part of group scoring in prime-rl (``Algorithm.score_group``), which trains every sampled
    token on what stands in ``MessageNode.advantages``. Traces with an error are left alone, as they are not trained on.

    Args:
        episodes: a group: dialogues of one scenario, played by ``NegotiationEnv``.
        turn_discount: of later replies' rewards in a reply's credit, in [0, 1]; 0: a reply answers for itself alone.
        scale: what advantages are divided by, see ``turn_credit.Scale``.

    Raises:
        UsageError: on a discount out of range, or a trace of another environment.
    """
    traces = [trace for episode in episodes for trace in episode.traces if not trace.has_error]
    if not all(RECORD in trace.info for trace in traces):
        raise UsageError(f"expected traces with info[{RECORD!r}], got one without: play NegotiationEnv's episodes")
    rewards = [[turn["reward"]["total"] for turn in trace.info[RECORD]["turns"]] for trace in traces]
    for trace, by_turn in zip(traces, turn_advantages(rewards, [0] * len(traces), turn_discount, scale), strict=True):
        replies = [node for node in trace.nodes if node.sampled]
        # A last reply that came too late to be played has tokens and no reward.
        own = [*by_turn, *[0.0] * len(replies)]
        for node, advantage in zip(replies, own, strict=False):
            node.advantages = [advantage] * sum(node.mask)
