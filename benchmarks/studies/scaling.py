"""Past one machine, in advance: ``negotiate study launches`` and ``negotiate study scaling``.

``launches`` says what each shipped launch takes (memory by device, tokens a second, GPU-hours), with dialogues as long
as those that people wrote, and counts the same run on the meta device. ``scaling`` plays rounds out on 1 to 256 workers
and says where the time goes, and from how many workers on the learner no longer waits: for the launch on two nodes, and
for the tiny scale as it was measured. ``--measure`` writes ``scaling.json``: dialogues as the tiny policy plays them,
what its engine, the rest of a turn and learning took, and rounds of 1 and 2 workers to set the simulation beside.
Measured times are processor times of one thread, so that a busy machine changes them little.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final, NamedTuple, cast

import numpy as np
import torch
import typer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from scipy.optimize import nnls
from transformers import AutoTokenizer

from benchmarks.runner.provenance import typed_command
from negotiation_env.engines.chat_model import ChatReply, ChatRequest
from negotiation_env.engines.smollm2 import smollm2_path
from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.files import read_json, write_json, write_text
from negotiation_env.play.registry import load_manager, load_reader, load_reward
from negotiation_env.seeds import Stream
from negotiation_env.training.run_folder import provenance
from policies.training.cluster import (
    DEVICES,
    PART,
    ROLLOUT_SHARE,
    EngineSpeed,
    Launch,
    RoundTimes,
    Speeds,
    Talk,
    Turn,
    actor_memory,
    engine_speed,
    fits,
    launch_called,
    launches,
    learner_memory,
    learning_seconds,
    simulate,
    starting_memory,
    sync_seconds,
)
from policies.training.meta_run import TOLERANCE, Counted, dry_run
from policies.training.on_policy.actor_critic import ActorCritic
from policies.training.on_policy.evaluation import training_scenarios
from policies.training.on_policy.loop import Learner
from policies.training.on_policy.methods import load_method
from policies.training.on_policy.samples import Sample, SamplingAgent, play
from policies.training.plan import HEADROOM, TrainingPlan, on_policy_plan
from policies.training.settings import OnPolicyPreset
from simulators.people.written_dialogues import task_card, written_dialogues

MEASURED: Final = Path(__file__).with_name("scaling.json")
WORKERS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
DRAWN: Final = 8
"""Rounds that are drawn and played out for each figure."""
LARGE: Final = "qwen3-32b_2nodes"
"""The launch whose engines and learner are scaled."""
OUT: Final = Path("out/scaling")
BIG_ROUND: Final = 2048
"""Dialogues of a round that is large enough for 256 workers."""
EACH_WRITTEN: Final = 8
"""Of the written dialogues of the training authors, one in so many is looked at."""
TURN_SECONDS: Final = 0.05
"""Assumed of a turn beside a large model's engine, on a core: reading by the encoder, the hotel, rewards."""
FITS: Final = "yes"
BATCHES: Final = (16, 4, 1)
"""Dialogues of the measured rounds of one worker, so that the engine is seen with many and with few."""


@dataclass(frozen=True, slots=True)
class Played:
    """A round as it was measured, mean over rounds."""

    workers: int
    dialogues: int
    replies: float
    processor_seconds: float
    """Of the slowest worker, for its own dialogues."""
    wall_seconds: float
    """The same on the clock, of a machine that others use too."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What ``scaling.json`` holds: of the tiny base, in its own tokens."""

    made_with: dict[str, str]
    engine: EngineSpeed
    turn_seconds: float
    learning_seconds: float
    """For each reply."""
    sync_seconds: float
    """To write the adapter and read it again."""
    played: list[Played]
    dialogues: list[str]
    """Each a turn after the other: new prompt tokens, "+", tokens of the reply."""

    @property
    def talks(self) -> list[Talk]:
        """The dialogues as numbers."""
        turns = ([turn.partition("+") for turn in talk.split()] for talk in self.dialogues)
        return [[(int(new), int(reply)) for new, _, reply in talk] for talk in turns]


def drawn(talks: Sequence[Talk], dialogues: int, number: int) -> list[Talk]:
    """Return a round's dialogues, drawn from those measured; ``number`` names the round."""
    draws = np.random.default_rng((Stream.SCALING, number))
    return [talks[int(i)] for i in draws.integers(len(talks), size=dialogues)]


class Setting(NamedTuple):
    """A cluster to be played out at any number of workers; see ``simulate``.

    Attributes:
        name: what it is called.
        talks: dialogues to draw from.
        dialogues: of a round.
        speeds, batch, part: as ``simulate`` takes them.
    """

    name: str
    talks: Sequence[Talk]
    dialogues: int
    speeds: Speeds
    batch: int
    part: int = 0


def mean_round(setting: Setting, workers: int) -> RoundTimes:
    """Return the mean of rounds played out on so many workers; the draws are the same for any number."""
    talks, speeds = setting.talks, setting.speeds
    rounds = [
        simulate(drawn(talks, setting.dialogues, k), workers, speeds, setting.batch, setting.part) for k in range(DRAWN)
    ]
    return RoundTimes(*(fmean(part) for part in zip(*rounds, strict=True)))


@cache
def written_talks() -> tuple[Talk, ...]:
    """Return dialogues that people wrote, as a large model's engine sees them: the card first, in SmolLM2's tokens."""
    tokenizer = AutoTokenizer.from_pretrained(smollm2_path())

    def tokens(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False).input_ids)

    talks = []
    for dialogue in written_dialogues("train")[::EACH_WRITTEN]:
        new, talk = tokens(task_card(dialogue).text()), []
        for turn in dialogue.turns:
            reply = max(1, tokens(turn.agent))
            talk.append((new, reply))
            new = reply + tokens(turn.manager)
        talks.append(talk)
    return tuple(talks)


class Forecast(NamedTuple):
    """A launch, worked out: its plan with expected lengths, the speeds of its parts, and a round of its preset."""

    plan: TrainingPlan
    speeds: Speeds
    round: RoundTimes
    rounds: float
    hours: float
    """Of the whole run, evaluations included."""


def forecast(launch: Launch, longest: bool = False) -> Forecast:
    """Return what a launch's run will be like: its dialogues as people wrote them, or as long as they may be."""
    talks: Sequence[Talk] = written_talks()
    prompt = fmean(held for talk in talks for held in accumulate(new for new, _ in talk))
    if longest:
        most = on_policy_plan("repo", "paper", launch.overrides).settings
        stretch, prompt = most.max_prompt_tokens / prompt, float(most.max_prompt_tokens)
        talks = [[(round(new * stretch), most.max_reply_tokens) for new, _ in talk] for talk in talks]
    reply = fmean(reply for talk in talks for _, reply in talk)
    plan = on_policy_plan("repo", "paper", launch.overrides, prompt, reply)
    settings = cast(OnPolicyPreset, plan.settings)
    speeds = Speeds(
        engine_speed(launch, plan, prompt + reply / 2.0),
        TURN_SECONDS,
        learning_seconds(launch, plan) / plan.work.sampled,
        sync_seconds(launch, plan),
    )
    cluster = Setting("", talks, settings.dialogues, speeds, settings.rollout_batch, PART if launch.rollout_gpus else 0)
    one = mean_round(cluster, launch.workers)
    rounds = settings.replies / one.replies
    measured_on = cluster._replace(dialogues=settings.held_out)
    judged = mean_round(measured_on, launch.workers).rollout * (rounds / settings.evaluate_every)
    return Forecast(plan, speeds, one, rounds, (rounds * one.seconds + judged) / 3600.0)


class _Call(NamedTuple):
    """A batch that the engine made."""

    prompts: list[tuple[int, ...]]
    replies: list[int]
    seconds: float


class _TimedEngine(TransformersEngine):
    """The engine, with a record of its calls."""

    calls: list[_Call]

    def generate_from_prompts(self, requests: Sequence[ChatRequest]) -> list[tuple[ChatReply, tuple[int, ...]]]:
        start = time.process_time()
        made = super().generate_from_prompts(requests)
        seconds = time.process_time() - start
        self.calls.append(_Call([prompt for _, prompt in made], [len(r.token_ids) for r, _ in made], seconds))
        return made


class _Share(NamedTuple):
    """What a worker did of a round."""

    processor_seconds: float
    wall_seconds: float
    turns: int
    calls: list[_Call]
    talks: dict[tuple[int, ...], Turn]
    """By prompt."""
    dialogues: list[list[Turn]]
    learning_seconds: float
    """For each reply; 0 where nothing was learned."""
    sync_seconds: float


_together: Any = None


def _begin(barrier: Any) -> None:
    """Set a worker up."""
    globals()["_together"] = barrier


def _measure_share(place: int, workers: int, sizes: Sequence[int], learns: bool) -> list[_Share]:
    """Play a worker's share of rounds of so many dialogues, as the loop does; the first warms up and is left out."""
    method = load_method("repo", "tiny")
    preset = method.preset
    torch.set_num_threads(1)
    engine = _TimedEngine(preset.base, dtype=preset.dtype, max_prompt_tokens=preset.max_prompt_tokens)
    manager, reward, reader = load_manager(preset.manager), load_reward(preset.reward), load_reader(preset.reader)
    found = []
    with ActorCritic(engine, preset, with_value=True) as actor, TemporaryDirectory() as folder:
        agent = SamplingAgent(engine, reward, preset.max_reply_tokens, temperature=preset.temperature, reader=reader)
        for number, size in enumerate(sizes):
            scenarios = training_scenarios(preset.seed, sum(sizes[:number]), size)[place::workers]
            engine.forget_prompts()
            engine.calls = []
            _together.wait()
            wall, processor = time.perf_counter(), time.process_time()
            played = play(agent, scenarios, method.read, manager=manager, max_turns=preset.max_turns, turn_discount=0.0)
            taken = time.process_time() - processor, time.perf_counter() - wall
            learning = sync = 0.0
            if learns and number and size == BATCHES[0]:
                start = time.process_time()
                Learner(method, actor).learn(played.samples, 0)
                learning = (time.process_time() - start) / len(played.samples)
                start = time.process_time()
                actor.save(Path(folder))
                actor.load(Path(folder))
                sync = time.process_time() - start
            by_prompt, talks = _turns(played.samples)
            found.append(_Share(*taken, played.sampled, engine.calls, by_prompt, talks, learning, sync))
    return found[1:]


def _turns(samples: Sequence[Sample]) -> tuple[dict[tuple[int, ...], Turn], list[list[Turn]]]:
    """Return each sample's turn by its prompt, and the turns by dialogue."""
    by_prompt: dict[tuple[int, ...], Turn] = {}
    talks: dict[int, list[Turn]] = {}
    before: dict[int, tuple[int, ...]] = {}
    for sample in samples:
        pairs = list(zip(sample.prompt, before.get(sample.dialogue, ()), strict=False))
        known = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
        by_prompt[sample.prompt] = len(sample.prompt) - known, len(sample.reply)
        talks.setdefault(sample.dialogue, []).append(by_prompt[sample.prompt])
        before[sample.dialogue] = sample.prompt
    return by_prompt, list(talks.values())


def _measure_workers(workers: int, sizes: Sequence[int], learns: bool) -> list[list[_Share]]:
    """Return, by round, the shares of so many workers, each a process, that play at the same time."""
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, _begin, (context.Barrier(workers),)) as pool:
        jobs = [pool.submit(_measure_share, k, workers, sizes, learns) for k in range(workers)]
        return [list(shares) for shares in zip(*(job.result() for job in jobs), strict=True)]


def fitted(calls: Sequence[tuple[float, Sequence[int], float]]) -> EngineSpeed:
    """Return the speed that explains measured batches best: new prompt tokens, tokens of the replies, seconds."""
    rows = np.array([[new, max(replies), sum(replies), 1.0] for new, replies, _ in calls])
    weights, _ = nnls(rows, np.array([seconds for *_, seconds in calls]))
    return EngineSpeed(*(float(weight) for weight in weights))


def measure(rounds: int) -> Measured:
    """Measure rounds of 1 and 2 workers on this machine, each on one thread."""
    dialogues = BATCHES[0]
    alone = _measure_workers(1, [dialogues, *BATCHES * rounds], True)
    large = [found for k, found in enumerate(alone) if BATCHES[k % len(BATCHES)] == dialogues]
    both = {1: large, 2: _measure_workers(2, [dialogues] * (rounds + 1), False)}
    shares = [share for (share,) in alone]
    calls = [
        (sum(share.talks.get(p, (len(p), 0))[0] for p in call.prompts), call.replies, call.seconds)
        for share in shares
        for call in share.calls
    ]
    beside = sum(share.processor_seconds - sum(call.seconds for call in share.calls) for share in shares)
    talks = [talk for (share,) in large for talk in share.dialogues]
    played = [
        Played(
            workers,
            dialogues,
            fmean(sum(share.turns for share in round_) for round_ in found),
            fmean(max(share.processor_seconds for share in round_) for round_ in found),
            fmean(max(share.wall_seconds for share in round_) for round_ in found),
        )
        for workers, found in both.items()
    ]
    return Measured(
        provenance() | {"command": typed_command(), "threads": "1 a worker", "rounds": str(rounds)},
        fitted(calls),
        beside / sum(share.turns for share in shares),
        fmean(share.learning_seconds for (share,) in large),
        fmean(share.sync_seconds for (share,) in large),
        played,
        [" ".join(f"{new}+{reply}" for new, reply in talk) for talk in talks],
    )


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _show(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*header, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f}"


def _memory_rows(launch: Launch, plan: TrainingPlan) -> list[list[str]]:
    """Return each kind of device, its parts in GB, their sum, and whether it fits."""
    whole = {"base whole, and adapters": starting_memory(plan)}
    rows = []
    for count, what, memory, share in (
        (launch.training_gpus, "training", learner_memory(launch, plan), HEADROOM),
        (launch.training_gpus, "training, at the start", whole, ROLLOUT_SHARE),
        (launch.rollout_gpus, "rollout", actor_memory(launch, plan), ROLLOUT_SHARE),
    ):
        if count:
            parts = ", ".join(f"{name} {_gb(size)}" for name, size in memory.items())
            room = f"{_gb(share * DEVICES[launch.device].memory)}"
            fit = FITS if fits(launch, memory, share) else "no"
            rows.append([f"{count} {what}", parts, _gb(sum(memory.values())), room, fit])
    return rows


def _forecast_rows(launch: Launch, found: Forecast, most: Forecast) -> list[list[str]]:
    """Return what a run takes, as name and figure; ``most``: where all dialogues are as long as they may be."""
    one, tokens = found.round, found.round.reply_tokens
    hours, most_hours = found.hours * launch.gpus, most.hours * launch.gpus
    return [
        ["replies of a round, rounds", f"{one.replies:.0f}, {found.rounds:.0f}"],
        ["tokens of a prompt, of a reply", f"{found.plan.work.prompt_tokens:.0f}, {found.plan.work.reply_tokens:.0f}"],
        ["seconds of a round: rollout, learning, new weights", _three(one.rollout, one.learning, one.sync)],
        ["tokens a second that the engines are expected to make", f"{tokens / one.rollout:,.0f}"],
        ["... that they need for a rollout as long as learning", f"{tokens / one.learning:,.0f}"],
        ["tokens a second learned from, all passes", f"{found.plan.tokens / (found.rounds * one.learning):,.0f}"],
        ["hours of a run", f"{found.hours:.1f}"],
        ["GPU-hours", f"{hours:.0f}, about ${hours * launch.price:,.0f} at ${launch.price:g} an hour"],
        [f"GPU-hours where all texts have the most tokens, {most.plan.longest}", f"{most_hours:.0f}"],
    ]


def _three(*seconds: float) -> str:
    return ", ".join(f"{part:.1f}" for part in seconds)


def launch_study(
    names: Annotated[list[str] | None, typer.Argument(metavar="[LAUNCH]...", help="Which; default: all.")] = None,
    count: Annotated[bool, typer.Option(help="Count the run on the meta device too: minutes for 32B.")] = True,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for launches.md.")] = None,
) -> int:
    """Say what the shipped launches take; exit status 1 where one does not fit, or the count is another."""
    status, pages = 0, []
    counts: dict[tuple[str, ...], dict[str, Counted]] = {}
    chosen = {name: launch_called(name) for name in names} if names else launches()
    for name, launch in chosen.items():
        found = forecast(launch)
        tables: list[tuple[Sequence[str], list[list[str]]]] = [
            (("GPUs", "GB on each, at most", "together", "room", "fits"), _memory_rows(launch, found.plan)),
            (("a run", "expected"), _forecast_rows(launch, found, forecast(launch, True))),
        ]
        if count:
            counted = counts.get(launch.overrides) or counts.setdefault(launch.overrides, dry_run(found.plan))
            rows = [[part, _gb(c.planned), _gb(c.counted), f"{c.off:+.1%}"] for part, c in counted.items()]
            tables.append((("counted on the meta device, on one device", "planned, GB", "counted, GB", "off"), rows))
            status |= any(abs(c.off) > TOLERANCE for c in counted.values())
        status |= any(row[-1] != FITS for row in tables[0][1])
        for header, rows in tables:
            _show(f"{name}: {launch.what}", header, rows)
        page = "\n".join(markdown(header, rows) for header, rows in tables)
        pages.append(f"## {name}\n\n{found.plan.settings.base}, {launch.what}.\n\n{page}")
    if out is not None:
        write_text(out / "launches.md", "\n".join(pages))
    return int(status)


def tiny_setting(measured: Measured) -> Setting:
    """Return the tiny scale as it was measured."""
    speeds = Speeds(measured.engine, measured.turn_seconds, measured.learning_seconds, measured.sync_seconds)
    return Setting(f"tiny as measured, {BATCHES[0]} dialogues a round", measured.talks, BATCHES[0], speeds, 64)


def large_settings() -> list[Setting]:
    """Return the launch on two nodes: as it is, with big rounds, and with those on vLLM."""
    launch = launch_called(LARGE)
    here, there = forecast(launch), forecast(launch.model_copy(update={"engine": "vllm"}))
    preset, talks = cast(OnPolicyPreset, here.plan.settings), written_talks()
    name, batch = preset.base.rpartition("/")[2], preset.rollout_batch
    big = f"{BIG_ROUND:,} dialogues a round"
    return [
        Setting(f"{name}, {preset.dialogues} dialogues a round", talks, preset.dialogues, here.speeds, batch, PART),
        Setting(f"{name}, {big}", talks, BIG_ROUND, here.speeds, batch, PART),
        Setting(f"{name}, {big}, sampled by vLLM", talks, BIG_ROUND, there.speeds, batch, batch),
    ]


PARTS: Final[dict[str, str]] = {
    "sampling": "sampling",
    "playing": "reading, hotel, rewards",
    "waiting": "waiting for the slowest",
    "learning": "learning",
    "sync": "new weights",
}
"""Parts of a round, and what they are called."""


COMPARED: Final = ("workers", "replies", "processor s", "simulated s", "off", "clock s")
SCALED: Final = ("workers", "s a round", *PARTS.values(), "replies/s", "efficiency", "starved")


def scaling_rows(found: Mapping[int, RoundTimes]) -> list[list[str]]:
    """Return a line for each number of workers: where the time goes, and how much of it the learner waits."""
    first = next(iter(found.values()))
    return [
        [
            str(workers),
            f"{one.seconds:.1f}",
            *(f"{getattr(one, part) / one.seconds:.0%}" for part in PARTS),
            f"{one.replies / one.seconds:,.1f}",
            f"{first.rollout / one.rollout / workers:.0%}",
            f"{one.starved:.0%}",
        ]
        for workers, one in found.items()
    ]


def draw(found: Mapping[str, Mapping[int, RoundTimes]], path: Path) -> None:
    """Draw where each setting's rounds go, as parts of a round's seconds by workers."""
    figure = Figure(figsize=(15, 4.5))
    figure.subplots_adjust(left=0.05, right=0.99, bottom=0.13, top=0.9, wspace=0.2)
    for axes, (name, rounds) in zip(figure.subplots(1, len(found)).flat, found.items(), strict=True):
        places, below = np.arange(len(rounds)), np.zeros(len(rounds))
        for part, label in PARTS.items():
            heights = np.array([getattr(one, part) for one in rounds.values()])
            axes.bar(places, heights, bottom=below, label=label)
            below += heights
        axes.plot(places, [one.overlapped for one in rounds.values()], "k.--", label="if rollout and learning overlap")
        axes.set_xticks(places, [str(workers) for workers in rounds])
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("workers", fontsize=8)
        axes.set_ylabel("seconds of a round", fontsize=8)
        axes.set_yscale("log" if below.max() > 20 * below.min() else "linear")
        axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_png(path)  # type: ignore[no-untyped-call]


def beside_measured(measured: Measured) -> list[list[str]]:
    """Return the measured rounds with the same ones simulated from what one worker took."""
    tiny = tiny_setting(measured)
    rows = []
    for played in measured.played:
        one = mean_round(tiny._replace(dialogues=played.dialogues), played.workers)
        # As many replies as were measured: the drawn rounds have some more or fewer.
        told = one.rollout * played.replies / one.replies
        off = told / played.processor_seconds - 1.0
        rows.append(
            [
                str(played.workers),
                f"{played.replies:.0f}",
                f"{played.processor_seconds:.1f}",
                f"{told:.1f}",
                f"{off:+.0%}",
                f"{played.wall_seconds:.1f}",
            ]
        )
    return rows


def starving(found: Mapping[int, RoundTimes]) -> str:
    """Say from how many workers on the learner is the slower one, and what more workers are then worth."""
    enough = next((workers for workers, one in found.items() if one.rollout <= one.learning), None)
    most = max(found)
    idle = found[most].learning / found[most].seconds
    if enough is None:
        return f"The learner starves at any number: at {most} workers a rollout is still longer than learning."
    starved = f"The learner starves below {enough} workers: until then a rollout takes longer than learning."
    if enough == min(found):
        starved = f"The learner starves at no number: with {enough} a rollout takes no longer than learning."
    return f"{starved} In the loop, where one follows the other, learning is {idle:.0%} of a round at {most}."


def study(
    measured: Annotated[Path, typer.Option(help="What was measured.")] = MEASURED,
    anew: Annotated[int, typer.Option("--measure", min=0, help="Measure so many rounds anew into --measured.")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for scaling.md and scaling.png.")] = OUT,
) -> int:
    """Play a cluster out on 1 to 256 workers: where the time goes, and when the learner starves."""
    if anew:
        write_json(measured, asdict(measure(anew)))
    tables: list[tuple[str, Sequence[str], list[list[str]], str]] = []
    settings = large_settings()
    if measured.is_file():
        inputs = read_json(measured, Measured)
        title = "Rollout of the tiny scale, measured and simulated"
        tables.append((title, COMPARED, beside_measured(inputs), ""))
        settings.insert(0, tiny_setting(inputs))
    played: dict[str, dict[int, RoundTimes]] = {}
    for setting in settings:
        played[setting.name] = rounds = {workers: mean_round(setting, workers) for workers in WORKERS}
        tables.append((setting.name, SCALED, scaling_rows(rounds), starving(rounds)))
    for title, header, rows, told in tables:
        _show(title, header, rows)
        if told:
            Console().print(told)
    draw(played, out / "scaling.png")
    pages = [f"## {title}\n\n{markdown(header, rows)}\n{told}\n" for title, header, rows, told in tables]
    write_text(out / "scaling.md", "\n".join(page.rstrip("\n") + "\n" for page in pages))
    Console().print(f"Written: {out / 'scaling.md'}, {out / 'scaling.png'}")
    return 0
