"""What a launch takes: memory by device, and how fast its engines sample and its learner learns, worked out in advance.

A launch is ``launch/NAME.toml`` (model and machine) beside the files that start it. Times are a roofline: an engine's
decoding step reads the weights and each dialogue's keys and values once; prompts and learning are bound by products.
How much of a device's peak is reached is assumed, and the assumptions are the constants of this file.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.files import Many, Number, Table, Text, known, read_toml
from policies.training.plan import TRAINING_SHARE, TrainingPlan, training_memory
from policies.training.settings import LAUNCH_FILES

Several = Annotated[int, Field(ge=0, le=4096)]


class Device(NamedTuple):
    """A GPU, by its maker's data sheet.

    Attributes:
        memory: bytes.
        products: floating-point operations a second in bfloat16, dense.
        bandwidth: bytes a second from its memory.
        link: bytes a second, each way, to the GPUs beside it.
    """

    memory: float
    products: float
    bandwidth: float
    link: float


DEVICES: Final = {
    "H100 SXM": Device(84.9e9, 989e12, 3.35e12, 450e9),
    "RTX 4090": Device(25.3e9, 165e12, 1.008e12, 32e9),
}
"""Memory as torch reports it of cards of "80 GB" and "24 GB"."""
PROMPT_SHARE: Final = 0.5
"""Part of a device's peak products that an engine reaches on prompts."""
BANDWIDTH_SHARE: Final = 0.6
"""Part of a device's memory bandwidth that a decoding step reaches."""
LINK_SHARE: Final = 0.7
"""Part of the links' bandwidth that gathering weights reaches."""
VLLM_STEP_SECONDS: Final = 0.003
"""Of a decoding step of vLLM beside reading: launching, sampling, the exchange among tensor-parallel GPUs."""
EAGER_LAYER_SECONDS: Final = 0.001
"""Of a decoding step of this project's engine, for each layer: kernels, an adapter's too, are launched one by one."""
LORA_SLOWER: Final = 1.2
"""By how much an adapter slows vLLM down."""
WEIGHTS_SPEED: Final = 1e9
"""Bytes a second at which an adapter goes to Ray's object store, and from there to all actors."""
ROLLOUT_SHARE: Final = 0.9
"""Part of a rollout GPU's memory that may be taken."""
BUFFERS: Final = 1e9
"""Bytes of an actor for the engine's memory of prompts and for what a step makes."""
PART: Final = 8
"""Dialogues that an actor is handed at a time (``shared_play.PART``)."""
CELLS: Final = 65_536
"""Tokens whose keys and values this project's engine holds at once (``max_batch_tokens``)."""


class Launch(Table):
    """A model on a machine, as ``launch/NAME.toml`` has it."""

    what: Text
    """The machine, in words."""
    overrides: Many[Text] = ()
    """Values in place of those of the preset ``paper`` of ``negotiate train repo``, as "key=value"."""
    device: Annotated[str, known(DEVICES, "a device")]
    training_gpus: Annotated[Several, Field(ge=1)]
    """GPUs that learn, the base divided among them (FSDP)."""
    rollout_gpus: Several
    """GPUs that sample, each with an actor of Ray's; 0 where the training GPU does so in turn with learning."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """Of an actor."""
    nodes: Annotated[Several, Field(ge=1)] = 1
    """Machines that the GPUs are in, as many in each."""
    price: Annotated[Number, Field(gt=0.0)]
    """Of a GPU-hour, in US dollars: assumed, for an order of magnitude."""

    @property
    def gpus(self) -> int:
        """All of them."""
        return self.training_gpus + self.rollout_gpus

    @property
    def workers(self) -> int:
        """Engines that sample."""
        return max(1, self.rollout_gpus)


def launches() -> dict[str, Launch]:
    """Return the shipped launches by name."""
    return {path.stem: read_toml(path, Launch) for path in sorted(LAUNCH_FILES.glob("*.toml"))}


def launch_called(name: str) -> Launch:
    """Return a shipped launch. Raises ``UsageError`` where there is none of this name."""
    found = launches()
    if name not in found:
        raise UsageError(f"launch: expected one of {', '.join(found)}, got {name!r}.{did_you_mean(name, found)}")
    return found[name]


def learner_memory(launch: Launch, plan: TrainingPlan) -> dict[str, float]:
    """Return the bytes of each training GPU by part, at most.

    Where it samples too, keys and values of rollouts and a pass follow one another, so the larger counts.
    """
    found = training_memory(plan, launch.training_gpus)
    if not launch.rollout_gpus:
        cells = min(plan.work.rollout_batch * plan.longest, CELLS)
        found["keys and values beyond a pass"] = max(0.0, cells * plan.cell_bytes - found["a pass"])
    return found


def actor_memory(launch: Launch, plan: TrainingPlan) -> dict[str, float]:
    """Return the bytes of each rollout GPU by part, at most, with an actor of Ray's; empty where there is none."""
    if not launch.rollout_gpus:
        return {}
    return {
        "base weights": plan.memory["base weights"],
        "policy and start": 2.0 * 4.0 * plan.shape.adapter,
        "keys and values": float(PART * plan.longest * plan.cell_bytes),
        "buffers": BUFFERS,
    }


def starting_memory(plan: TrainingPlan) -> float:
    """Return the bytes of a training GPU before the base is divided: each process reads it whole."""
    return plan.memory["base weights"] + plan.memory["adapters"]


def fits(launch: Launch, memory: Mapping[str, float], share: float) -> bool:
    """Whether a device has room for this with ``share`` of its memory."""
    return sum(memory.values()) <= share * DEVICES[launch.device].memory


@dataclass(frozen=True, slots=True)
class EngineSpeed:
    """How long an engine takes for a batch of replies.

    Attributes:
        prompt_token: seconds for each prompt token that is not remembered from an earlier turn.
        step: seconds for each decoding step, of which there are as many as the longest reply has tokens.
        row: seconds for each token of each reply.
        call: seconds for each batch.
    """

    prompt_token: float
    step: float
    row: float
    call: float = 0.0

    def seconds(self, prompt_tokens: float, replies: Sequence[float]) -> float:
        """Return the seconds for a batch: new tokens of all prompts, and each reply's tokens."""
        decoding = self.step * max(replies) + self.row * sum(replies)
        return self.call + self.prompt_token * prompt_tokens + decoding


def engine_speed(launch: Launch, plan: TrainingPlan, context: float) -> EngineSpeed:
    """Return the speed of one engine; ``context``: tokens that a decoding step looks back on, on average."""
    device = DEVICES[launch.device]
    reads = device.bandwidth * BANDWIDTH_SHARE
    token = 2.0 * plan.shape.base / (device.products * PROMPT_SHARE)
    step, row = plan.memory["base weights"] / reads, context * plan.cell_bytes / reads + token
    if launch.engine == "transformers":
        return EngineSpeed(token, step + EAGER_LAYER_SECONDS * plan.shape.layers, row)
    return EngineSpeed(LORA_SLOWER * token, LORA_SLOWER * step + VLLM_STEP_SECONDS, LORA_SLOWER * row)


def learning_seconds(launch: Launch, plan: TrainingPlan) -> float:
    """Return the seconds of all the run's passes with and without gradients, where the plan's tokens are as expected.

    Under FSDP a pass cannot be shorter than gathering the weights once forward and, where activations are computed
    anew, once more backward.
    """
    device, gpus = DEVICES[launch.device], launch.training_gpus
    computing = plan.learning_flops / (gpus * device.products * TRAINING_SHARE)
    if gpus == 1:
        return computing
    passes = plan.tokens / (gpus * plan.work.at_once * plan.longest)
    gathered = 2.0 * plan.shape.base * plan.number_bytes * (gpus - 1) / gpus
    return max(computing, passes * gathered / (device.link * LINK_SHARE))


def sync_seconds(launch: Launch, plan: TrainingPlan) -> float:
    """Return the seconds to bring the adapter to the actors: put away once, fetched by all at the same time."""
    return 2.0 * 4.0 * plan.shape.adapter / WEIGHTS_SPEED if launch.rollout_gpus else 0.0


Turn = tuple[int, int]
"""Prompt tokens that the turn before did not have, and tokens of the reply."""
Talk = Sequence[Turn]
"""A dialogue, as its engine sees it."""


class Speeds(NamedTuple):
    """Seconds of what a round consists of.

    Attributes:
        engine: of one worker.
        turn: of a dialogue's turn beside the engine: reading, the hotel's side, rewards, on a core of the worker's own.
        learning: of the learner for a reply, all passes over it together.
        sync: to bring new weights to all workers, once a round.
    """

    engine: EngineSpeed
    turn: float
    learning: float
    sync: float


class RoundTimes(NamedTuple):
    """Where a round's time goes, in seconds; the first three add up to what the last worker takes.

    Attributes:
        sampling: in engines, mean over workers.
        playing: in the rest of the turns, mean over workers.
        waiting: of a worker for the last one, mean over workers; those without a dialogue wait all the time.
        learning, sync: after the last dialogue.
        replies, reply_tokens: of the round.
    """

    sampling: float
    playing: float
    waiting: float
    learning: float
    sync: float
    replies: float
    reply_tokens: float

    @property
    def rollout(self) -> float:
        """Until the last dialogue ends."""
        return self.sampling + self.playing + self.waiting

    @property
    def seconds(self) -> float:
        """Of a round whose rollout and learning follow one another, as in the loop."""
        return self.rollout + self.learning + self.sync

    @property
    def overlapped(self) -> float:
        """Of a round that is sampled while the one before is learned from; the loop does not do that."""
        return max(self.rollout, self.learning) + self.sync

    @property
    def starved(self) -> float:
        """Part of an overlapped round in which the learner has nothing to learn from."""
        return 1.0 - self.learning / self.overlapped


def _play_share(talks: Sequence[Talk], speeds: Speeds, batch: int) -> tuple[float, float]:
    """Return a worker's seconds in its engine and beside it.

    It plays as ``play.rollout`` does: in lock-step, ``batch`` dialogues at a time, one that ended replaced at once.
    """
    waiting = iter(talks)
    tables: list[tuple[Talk, int]] = []
    sampling = playing = 0.0
    while True:
        tables += [(talk, 0) for talk in islice(waiting, batch - len(tables))]
        if not tables:
            return sampling, playing
        turns = [talk[place] for talk, place in tables]
        new, replies = sum(turn[0] for turn in turns), [turn[1] for turn in turns]
        sampling += speeds.engine.seconds(new, replies)
        playing += speeds.turn * len(turns)
        tables = [(talk, place + 1) for talk, place in tables if place + 1 < len(talk)]


def simulate(talks: Sequence[Talk], workers: int, speeds: Speeds, batch: int, part: int = 0) -> RoundTimes:
    """Play a round out on so many workers, each with an engine.

    Args:
        talks: the round's dialogues.
        workers: at least 1.
        speeds: of workers and learner.
        batch: most dialogues of a worker at a time.
        part: dialogues that a worker is handed at a time, as Ray's actors are; 0 for all its share at once, as the
            processes of a run have it.
    """
    part = part or -(-len(talks) // workers)
    free = [0.0] * workers
    sampled = played = 0.0
    for cut in range(0, len(talks), part):
        sampling, playing = _play_share(talks[cut : cut + part], speeds, batch)
        heapq.heapreplace(free, free[0] + sampling + playing)  # whoever is free first takes it
        sampled, played = sampled + sampling, played + playing
    replies = sum(len(talk) for talk in talks)
    return RoundTimes(
        sampled / workers,
        played / workers,
        max(0.0, max(free) - (sampled + played) / workers),
        speeds.learning * replies,
        speeds.sync,
        replies,
        sum(reply for talk in talks for _, reply in talk),
    )
