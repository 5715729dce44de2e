"""Language models on vLLM and behind failing servers: ``negotiate study engines PART``.

- ``faults``: a scripted server of which a fifth of the calls fails, and which once goes away for a minute. Every
  episode must come out once, and as it does from a sound server, byte for byte.
- ``agreement``: greedy first replies on vLLM and on transformers, both in float32. Where two differ, the gap between
  the two tokens' log-probabilities in transformers tells whether it was a tie that rounding decided.
- ``adapters``: three adapters (policy, voice and judge by name; fresh ones, their weights drawn) in one batch on vLLM,
  against each alone in transformers with PEFT.
- ``rollout``: dialogues in lock-step with rewards, against vLLM's own generation of as many tokens for the same
  prompts.
- ``memory``: four roles on one base, against four models.

Exit status 1 if a target is missed. All but ``faults`` and transformers' half of ``memory`` need vLLM (docs/vllm.md).
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.runner.run import EPISODES, run_benchmark
from benchmarks.studies.faulty_server import FAULTS, SOUND, FaultPlan, FaultyServer, completion_body, faulty_server
from benchmarks.suites import CaseSuite, ab
from negotiation_env.engines.chat_model import ChatReply, ChatRequest
from negotiation_env.engines.checkpoints import Base, number_format, open_checkpoint
from negotiation_env.engines.scoring import load_head
from negotiation_env.engines.specs import VLLMSettings, base_path
from negotiation_env.engines.transformers_engine import TransformersEngine
from negotiation_env.errors import UsageError
from negotiation_env.files import json_value
from negotiation_env.game.scenario import sample_scenario
from negotiation_env.play.agent_prompts import PROMPTS
from negotiation_env.play.exchange import open_negotiation
from negotiation_env.play.records import read_episodes
from negotiation_env.play.registry import load_manager, load_reward
from negotiation_env.play.rollout import agent_view, rollout
from negotiation_env.seeds import SCENARIOS
from negotiation_env.training.lora import lora_config, save_adapter
from negotiation_env.training.presets import AdapterPreset
from policies.chat import ChatPolicy
from rewards.model.adapter_model import SHIPPED

Part = Literal["faults", "agreement", "adapters", "rollout", "memory"]
SEEDS: Final = SCENARIOS["engine study"]
ROLES: Final = ("policy", "voice", "judge", "value")
RANK: Final = 16
REWARD_MODEL: Final = SHIPPED
_AT_ONCE: Final = 50
"""Replies compared at a time."""
_KEYS_AND_VALUES: Final = 1 << 30
"""Bytes that vLLM gets for keys and values."""
_SIDE_BY_SIDE: Final = 250
"""Episodes against the failing server at a time."""
_LINES: Final = (
    "Good morning, this is the travel platform. Do you have a minute for your rates?",
    "Guests compare your rate with the street's, and they book elsewhere. What could you do for them?",
    "I understand. What would be your best price for these nights?",
    "That is more than guests pay nearby. Could you come down a little further?",
    "Thank you for your time. Let us leave it here for today. Goodbye.",
)


class _Measured(NamedTuple):
    """A line of a part's table: what it is, how it came out, and what was wanted ("" for no target)."""

    name: str
    value: str
    target: str = ""
    met: bool = True


def _told(title: str, figures: Sequence[_Measured]) -> int:
    """Print figures; returns the exit status."""
    table = Table("figure", "value", "target", title=title)
    for figure in figures:
        table.add_row(figure.name, figure.value, f"{figure.target}{'' if figure.met else ' MISSED'}")
    Console().print(table)
    return int(not all(figure.met for figure in figures))


def _scripted(body: bytes) -> bytes:
    """Answer as an agent that says the same five lines, of which some dialogues leave out one."""
    messages = json_value(body.decode())["messages"]
    turn = sum(message["role"] == "assistant" for message in messages)
    skipped = 1 + len(messages[0]["content"]) % 4
    lines = [line for place, line in enumerate(_LINES) if place != skipped or place == len(_LINES) - 1]
    return completion_body(lines[min(turn, len(lines) - 1)])


def _served(server: FaultyServer, suite: CaseSuite, out: Path) -> float:
    """Play a suite against a server, and return the seconds that it took."""
    # Dialogues of a batch wait for its slowest call, which is held up to the timeout: so many side by side.
    options = "name=agent&timeout=4&retries=12&backoff=0.05&concurrency=48"
    began = time.perf_counter()
    policies = [f"openai:{server.url}#stub?{options}"]
    run_benchmark(policies, [suite], out=out, reader="rules", progress=False, batch=_SIDE_BY_SIDE)
    return time.perf_counter() - began


def faults(episodes: int, away: float, out: Path, seed: int = 0) -> int:
    """Play against a sound server and a failing one, and compare what comes out."""
    suite = CaseSuite("served", ab(episodes).cases)
    with faulty_server(_scripted) as server:
        server.plan_anew(FaultPlan(share=0.0))
        sound = _served(server, suite, out / "sound")
        calls = server.done.total()
        server.plan_anew(FaultPlan(seed, hold=20.0, away_after=max(1, calls // 2), away_for=away))
        failing = _served(server, suite, out / "failing")
    found = list(read_episodes(out / "failing" / EPISODES))
    ids = Counter(episode.scenario_id for episode in found)
    spoiled = sum(episode.fault is not None for episode in found)
    same = (out / "sound" / EPISODES).read_bytes() == (out / "failing" / EPISODES).read_bytes()
    share = 1.0 - server.done[SOUND] / server.done.total()
    how = ", ".join(f"{server.done[fault]} {fault}" for fault in FAULTS)
    return _told(
        f"{episodes} episodes against a failing server",
        [
            _Measured("calls that failed", f"{share:.1%} of {server.done.total()} ({how})", ">= 18%", share >= 0.18),
            _Measured("server away, s", f"{away:.0f}"),
            _Measured("episodes complete", f"{len(ids)}", f"{episodes}", len(ids) == episodes),
            _Measured("episodes twice", f"{len(found) - len(ids)}", "0", len(found) == len(ids)),
            _Measured("episodes with a fault", f"{spoiled}", "0", spoiled == 0),
            _Measured("episodes file as from a sound server", "same" if same else "differs", "same", same),
            _Measured(
                "requests answered again, the first answer too late", f"{sum(n > 1 for n in server.answered.values())}"
            ),
            _Measured("seconds, sound and failing", f"{sound:.0f}, {failing:.0f}"),
        ],
    )


def first_requests(count: int) -> list[ChatRequest]:
    """Return greedy requests for the first reply in that many scenarios."""
    manager, form = load_manager("rules"), PROMPTS["compact"]
    views = [agent_view(open_negotiation(sample_scenario(seed), manager)) for seed in SEEDS[:count]]
    settings: dict[str, Any] = {"max_tokens": form.max_tokens, "temperature": 0.0, "stop": tuple(form.stop)}
    return [ChatRequest(form.write(view), **settings) for view in views]


def _on_vllm(name: str, rank: int | None = None) -> Any:
    """Open vLLM in float32 as this study does."""
    if find_spec("vllm") is None:
        raise UsageError("study engines: expected vLLM, got a Python without it: see docs/vllm.md, or make test-vllm")
    from negotiation_env.engines.vllm_engine import VLLMEngine

    settings = VLLMSettings(dtype="float32", kv_cache_memory_bytes=_KEYS_AND_VALUES, max_lora_rank=rank)
    return VLLMEngine(name, settings)


def _gap(engine: TransformersEngine, request: ChatRequest, one: ChatReply, other: ChatReply) -> tuple[int, float]:
    """Return the place of the first differing token, and how much likelier ``one``'s is in transformers (nats)."""
    pairs = zip(one.token_ids, other.token_ids, strict=False)
    place = next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(one.token_ids), len(other.token_ids)) - 1)
    ids = [*engine.prompt_tokens(request), *one.token_ids[:place]]
    with torch.inference_mode(), engine.base.use(engine.adapter) as model:
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
    return place, float(logits[one.token_ids[place]] - logits[other.token_ids[place]])


def agreement(states: int, base: str) -> int:
    """Compare greedy first replies on vLLM and on transformers, and tell of each part as it is done."""
    requests = first_requests(states)
    local, served = TransformersEngine(base, dtype="float32"), _on_vllm(base)
    theirs: list[ChatReply] = []
    ours: list[ChatReply] = []
    differing: list[int] = []
    gaps: list[float] = []
    for start in range(0, states, _AT_ONCE):
        some = requests[start : start + _AT_ONCE]
        theirs += local.generate(some)
        ours += served.generate(some)
        for k in range(start, len(theirs)):
            if theirs[k].text != ours[k].text:
                place, gap = _gap(local, requests[k], theirs[k], ours[k])
                print(f"state {k}: token {place} of {len(theirs[k].token_ids)}, gap {gap:.2g} nats")
                differing.append(k)
                gaps.append(gap)
        print(f"{len(theirs)} states, {len(differing)} differ", flush=True)
    apart = [
        abs(x - y)
        for a, b in zip(theirs, ours, strict=True)
        if a.token_ids == b.token_ids
        for x, y in zip(a.logprobs, b.logprobs, strict=True)
    ]
    share = 1.0 - len(differing) / states
    tokens = sum(len(reply.token_ids) for reply in theirs)
    return _told(
        f"Greedy first replies of {base} in {states} states, float32",
        [
            _Measured("equal to transformers", f"{share:.1%} ({tokens} tokens)", ">= 95%", share >= 0.95),
            _Measured("largest gap where they part, nats", f"{max(gaps, default=0.0):.2g}"),
            _Measured("log-probabilities apart, most", f"{max(apart, default=0.0):.2g}"),
            _Measured("faults", f"{sum(r.fault is not None for r in (*theirs, *ours))}", "0"),
        ],
    )


def make_adapters(folder: Path, base: str, names: Sequence[str], spread: float = 0.03) -> list[Path]:
    """Write adapters with drawn weights, one a name: no training, but each says something else than the base."""
    shared, _ = open_checkpoint(base, "cpu", "float32")
    made = []
    for number, name in enumerate(names):
        preset = AdapterPreset(
            seed=number, base=base, lora_rank=RANK, lora_alpha=2.0 * RANK, learning_rate=1e-4, warmup_steps=0,
            batch_size=1,
        )  # fmt: skip
        wrapped = shared.new_adapter(name, lora_config(preset))
        draws = torch.Generator().manual_seed(number)
        for path, weight in wrapped.named_parameters():
            if f".{name}." in path:
                size = spread if "lora_B" in path else weight.shape[-1] ** -0.5
                weight.data.normal_(0.0, size, generator=draws)
        save_adapter(wrapped, name, base, folder / name)
        shared.drop_adapter(name)
        made.append(folder / name)
    return made


def adapters(states: int, base: str) -> int:
    """Compare three adapters in one batch on vLLM with each alone in transformers."""
    requests = first_requests(states)
    with tempfile.TemporaryDirectory() as temporary:
        folders = make_adapters(Path(temporary), base, ROLES[:3])
        theirs = []
        for folder in folders:
            theirs += TransformersEngine(str(folder), dtype="float32").generate(requests)
        from negotiation_env.engines.vllm_engine import generate_together

        engines = [_on_vllm(str(folder)) for folder in folders]
        asked = [(engine, request) for engine in engines for request in requests]
        generate_together(asked[:: max(1, len(asked) // 3)])  # the adapters are loaded
        began = time.perf_counter()
        together = [reply for reply, _ in generate_together(asked)]
        seconds = time.perf_counter() - began
    same = sum(a.text == b.text for a, b in zip(theirs, together, strict=True)) / len(asked)
    texts = [[reply.text for reply in theirs[k * states : (k + 1) * states]] for k in range(3)]
    apart = sum(len(set(found)) == 3 for found in zip(*texts, strict=True)) / states
    return _told(
        f"Three adapters on {base} in one batch of {len(asked)}",
        [
            _Measured("equal to the adapter alone in transformers", f"{same:.1%}", ">= 95%", same >= 0.95),
            _Measured("states in which the three say three things", f"{apart:.1%}"),
            _Measured("tokens/s", f"{sum(len(reply.token_ids) for reply in together) / seconds:.0f}"),
        ],
    )


class _Watched:
    """A vLLM engine that keeps what it was asked and said, batch by batch."""

    def __init__(self, engine: Any, clock: Callable[[], float]) -> None:
        self.engine = engine
        self.spec = engine.spec
        self.clock = clock
        self.batches: list[list[tuple[ChatReply, tuple[int, ...]]]] = []
        self.seconds = 0.0

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """Pass requests on."""
        began = self.clock()
        made = self.engine.generate_from_prompts(requests)
        self.seconds += self.clock() - began
        self.batches.append(made)
        return [reply for reply, _ in made]


def rollout_speed(dialogues: int, turns: int, base: str, rounds: int) -> int:
    """Time dialogues against vLLM alone: by the processor's time where all of vLLM is in this process, on a CPU."""
    from vllm import SamplingParams
    from vllm.envs import VLLM_ENABLE_V1_MULTIPROCESSING
    from vllm.platforms import current_platform

    by_processor = current_platform.is_cpu() and not VLLM_ENABLE_V1_MULTIPROCESSING
    clock = time.process_time if by_processor else time.perf_counter
    watched = _Watched(_on_vllm(base), clock)
    llm = watched.engine.llm
    temperature, top_p = 0.7, 0.9
    policy = ChatPolicy(watched, prompt="compact", temperature=temperature, top_p=top_p, cut="speak")
    manager, reward = load_manager("rules"), load_reward("repo")
    scenarios = [sample_scenario(seed) for seed in SEEDS[-dialogues:]]

    def play(count: int) -> float:
        llm.reset_prefix_cache()
        watched.batches, watched.seconds = [], 0.0
        began = clock()
        rollout(policy, scenarios[:count], manager=manager, reward=reward, max_turns=turns, batch_size=dialogues)
        return clock() - began

    def alone(batches: Sequence[Sequence[tuple[ChatReply, tuple[int, ...]]]], **told: Any) -> float:
        """Generate as many tokens after the same prompts, sampled in the same way, with nothing of ours around it."""
        llm.reset_prefix_cache()
        began = clock()
        for batch in batches:
            settings = [
                SamplingParams(
                    seed=k, temperature=temperature, top_p=top_p, max_tokens=len(r.token_ids), ignore_eos=True, **told
                )
                for k, (r, _) in enumerate(batch)
            ]
            llm.generate([{"prompt_token_ids": list(ids)} for _, ids in batch], settings, use_tqdm=False)
        return clock() - began

    play(4)  # what is compiled, is compiled
    ours, inside, theirs, told = [], [], [], []
    asked: list[list[tuple[ChatReply, tuple[int, ...]]]] = []

    def round_of_ours() -> None:
        ours.append(play(dialogues))
        inside.append(watched.seconds)
        asked[:] = [[made for made in batch if made[0].token_ids] for batch in watched.batches]

    def round_of_theirs() -> None:
        theirs.append(alone(asked, detokenize=False))
        told.append(alone(asked, logprobs=0))

    for number in range(rounds):
        # By turns one of the two is first, as a machine that others use too does not stay as fast as it is.
        for work in (round_of_theirs, round_of_ours) if number % 2 else (round_of_ours, round_of_theirs):
            work()
        print(f"{ours[-1]:.1f} s, {inside[-1]:.1f} in vLLM; alone {theirs[-1]:.1f}, {told[-1]:.1f}", flush=True)
    tokens = sum(len(reply.token_ids) for batch in asked for reply, _ in batch)
    ratios = [alone / whole for whole, alone in zip(ours, theirs, strict=True)]
    ratio = sum(theirs) / sum(ours)
    took = f"{tokens} tokens in {ours[-1]:.1f} s {'of a processor' if by_processor else 'on the clock'}"
    return _told(
        f"{dialogues} dialogues of {turns} turns with {base} on vLLM, float32",
        [
            _Measured("rollout, tokens/s", f"{tokens / ours[-1]:.0f} ({took})"),
            _Measured("within vLLM", f"{sum(inside) / sum(ours):.1%} of the time"),
            _Measured("vLLM's batches, text and log-probabilities too", f"{sum(told) / sum(ours):.2f}"),
            _Measured("vLLM's batches, token ids alone", f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                    ">= 0.9", ratio >= 0.9),
        ],
    )  # fmt: skip


def _memory() -> float:
    """Return the memory of this process and all that it has started, MiB; pages that several share count in part."""
    left, found = [multiprocessing.current_process().pid or 0], 0
    while left:
        pid = left.pop()
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            children = [path.read_text(encoding="ascii") for path in Path(f"/proc/{pid}/task").glob("*/children")]
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        left += [int(child) for line in children for child in line.split()]
    return found / 1024.0


_kept: list[Any] = []
"""What a measurement holds on to until it is over."""


def _grown(load: Callable[[], Any]) -> float:
    before = _memory()
    _kept.append(load())
    return _memory() - before


def roles_in_transformers(folders: Sequence[str], reward_model: bool) -> float:
    """MiB that roles on one base take; ``reward_model``: the shipped one in place of the last."""

    def load() -> Any:
        chosen = folders[:-1] if reward_model else folders
        opened = [open_checkpoint(folder, "cpu", "float32") for folder in chosen]
        return opened, load_head(opened[0][0], REWARD_MODEL) if reward_model else None

    return _grown(load)


def models_in_transformers(folders: Sequence[str], base: str) -> float:
    """MiB that as many models take, each with its own base."""

    def load() -> Any:
        models = [Base(base_path(base), "cpu", number_format("float32")) for _ in folders]
        return [(model, model.add_adapter(folder)) for model, folder in zip(models, folders, strict=True)]

    return _grown(load)


def on_vllm(folders: Sequence[str]) -> float:
    """MiB of vLLM, its process and this one, serving these adapters on their base."""
    from negotiation_env.engines.vllm_engine import generate_together

    engines = [_on_vllm(folder) for folder in folders]
    request = ChatRequest(({"role": "user", "content": "Hello?"},), max_tokens=4)
    generate_together([(engine, request) for engine in engines])
    return _memory()


def _apart(work: Callable[..., float], *arguments: Any) -> float:
    """Run a measurement in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def memory(base: str) -> int:
    """Compare four roles on one base with four models."""

    def rows() -> Iterator[_Measured]:
        four = _apart(models_in_transformers, folders, base)
        for name, shipped in (("four PEFT adapters", False), ("three, and the shipped reward model", True)):
            if shipped and base != "smollm2":
                continue
            one = _apart(roles_in_transformers, folders, shipped)
            told = f"{one / four:.2f} ({one:.0f} of {four:.0f} MiB)"
            yield _Measured(f"transformers, {name}", told, "<= 0.35", one / four <= 0.35)
        if find_spec("vllm") is not None:
            one, single = _apart(on_vllm, folders), _apart(on_vllm, folders[:1])
            told = f"{one / (4 * single):.2f} ({one:.0f} of 4 x {single:.0f} MiB)"
            yield _Measured("vLLM, four LoRAs, all of its processes", told, "<= 0.35", one / (4 * single) <= 0.35)

    with tempfile.TemporaryDirectory() as temporary:
        folders = list(map(str, make_adapters(Path(temporary), base, ROLES)))
        return _told(f"Four roles on one {base} against four models, float32", list(rows()))


def study(
    part: Annotated[Part, typer.Argument(help="What to measure.")],
    episodes: Annotated[int, typer.Option(min=1, help="Episodes against the failing server.")] = 1000,
    away: Annotated[float, typer.Option(min=0.0, help="Seconds for which that server goes away.")] = 60.0,
    states: Annotated[int, typer.Option(min=1, help="States in which replies are compared.")] = 200,
    dialogues: Annotated[int, typer.Option(min=4, help="Dialogues side by side.")] = 64,
    turns: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="How often those dialogues are played.")] = 2,
    base: Annotated[str, typer.Option(help="The base model.")] = "smollm2",
    out: Annotated[Path, typer.Option(help="Folder for the failing server's runs; a new one.")] = Path("out/engines"),
) -> int:
    """Measure engines; exit status 1 if a target is missed."""
    if part == "faults":
        return faults(episodes, away, out)
    if part == "agreement":
        return agreement(states, base)
    if part == "adapters":
        return adapters(states, base)
    return rollout_speed(dialogues, turns, base, rounds) if part == "rollout" else memory(base)
