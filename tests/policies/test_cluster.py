import re
from pathlib import Path

import pytest

from negotiation_env.errors import UsageError

pytest.importorskip("torch")
pytest.importorskip("peft")

from policies.training.cluster import (
    DEVICES,
    PART,
    EngineSpeed,
    Launch,
    Speeds,
    Talk,
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
from policies.training.meta_run import TOLERANCE, dry_run
from policies.training.plan import TrainingPlan, on_policy_plan
from policies.training.settings import LAUNCH_FILES

NAMES = sorted(path.stem for path in LAUNCH_FILES.glob("qwen*.toml"))
ENGINE = EngineSpeed(prompt_token=0.001, step=0.01, row=0.002, call=0.1)
TALKS: list[Talk] = [[(50, 10), (20, 5)], [(40, 8)], [(30, 20), (10, 2), (10, 4)], [(60, 12)]]


def plan_of(launch: Launch, *overrides: str) -> TrainingPlan:
    return on_policy_plan("repo", "paper", (*launch.overrides, *overrides))


def test_the_small_base_has_its_published_size() -> None:
    shape = plan_of(launch_called("qwen3-1.7b_24gb")).shape
    # Embedding (tied), 28 layers, last norm: its card says 1.7 B, of which 1.4 B are not the embedding.
    layer = 2 * 2048 * 2048 + 2 * 2048 * 1024 + 3 * 2048 * 6144 + 2 * 2048 + 2 * 128
    assert shape.base == 151936 * 2048 + 28 * layer + 2048 == 1_720_574_976
    assert shape.largest_layer == layer


def test_an_unknown_launch_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="qwen3-32b_8xh100"):
        launch_called("qwen3-32b_8xh10")


@pytest.mark.parametrize("name", NAMES)
def test_a_launch_fits_and_is_what_its_script_starts(name: str) -> None:
    launch = launches()[name]
    script = (LAUNCH_FILES / f"{name}.sh").read_text(encoding="utf-8")
    assert re.findall(r"--set (\S+)", script) == list(launch.overrides)
    assert f"negotiate study launches {name}" in script
    assert [int(count) for count in re.findall(r"--workers (\d+)", script)] == [launch.rollout_gpus] * (launch.gpus > 1)
    assert launch.gpus % launch.nodes == 0
    plan = plan_of(launch)
    assert fits(launch, learner_memory(launch, plan), 0.85)
    assert fits(launch, actor_memory(launch, plan), 0.9)
    assert starting_memory(plan) < 0.9 * DEVICES[launch.device].memory


def test_more_gpus_hold_less_each_and_learn_faster() -> None:
    small, large = launch_called("qwen3-32b_8xh100"), launch_called("qwen3-32b_2nodes")
    plan = plan_of(small)
    four, eight = (sum(learner_memory(launch, plan).values()) for launch in (small, large))
    layers = plan.shape.layers * plan.shape.largest_layer * plan.number_bytes
    assert four - eight == pytest.approx(layers / 8)
    assert learning_seconds(large, plan) == pytest.approx(learning_seconds(small, plan) / 2)


def test_vllm_samples_faster_and_one_card_needs_no_new_weights() -> None:
    launch = launch_called("qwen3-32b_2nodes")
    plan = plan_of(launch)
    slow, fast = (engine_speed(launch.model_copy(update={"engine": e}), plan, 500.0) for e in ("transformers", "vllm"))
    assert fast.seconds(0, [40] * 8) < slow.seconds(0, [40] * 8)
    # No engine reads its weights faster than the card does.
    assert fast.step > plan.memory["base weights"] / DEVICES[launch.device].bandwidth
    card = launch_called("qwen3-1.7b_24gb")
    assert sync_seconds(launch, plan) > 0.0 == sync_seconds(card, plan_of(card))


@pytest.mark.parametrize("overrides", [(), ("gradient_checkpointing=false",), ("dtype=float32",), ("lora_rank=8",)])
def test_the_closed_form_is_what_the_meta_device_counts(overrides: tuple[str, ...], tmp_path: Path) -> None:
    launch = launch_called("qwen3-1.7b_24gb")
    text = (LAUNCH_FILES.parent / "architectures" / "Qwen3-1.7B.json").read_text(encoding="utf-8")
    # Four layers: a layer's own activations count for as much as those that are kept.
    (tmp_path / "config.json").write_text(text.replace('"num_hidden_layers": 28', '"num_hidden_layers": 4'))
    counted = dry_run(plan_of(launch, f"base={tmp_path}", *overrides))
    assert {name: part.off for name, part in counted.items() if abs(part.off) > TOLERANCE} == {}
    assert counted["base weights"].off == counted["adapters"].off == counted["gradients"].off == 0.0


def test_one_worker_takes_what_its_turns_take() -> None:
    speeds = Speeds(ENGINE, turn=0.05, learning=0.2, sync=1.0)
    one = simulate(TALKS, 1, speeds, batch=4)
    # Three turns in lock-step: all four dialogues, then two, then one.
    calls = [(180, [10, 8, 20, 12]), (30, [5, 2]), (10, [4])]
    assert one.sampling == pytest.approx(sum(ENGINE.seconds(new, replies) for new, replies in calls))
    assert one.playing == pytest.approx(7 * 0.05)
    assert one.waiting == pytest.approx(0.0)
    assert (one.replies, one.reply_tokens) == (7, 61)
    assert one.learning == pytest.approx(1.4)
    assert one.seconds == pytest.approx(one.rollout + one.learning + 1.0)


def test_a_dialogue_that_ends_is_replaced_at_once() -> None:
    speeds = Speeds(EngineSpeed(0.0, 1.0, 0.0), turn=0.0, learning=0.0, sync=0.0)
    # Two at a time: (10, 8), (5, 20), (12, 2), (4): the longest of each.
    assert simulate(TALKS, 1, speeds, batch=2).sampling == 10 + 20 + 12 + 4


def test_nothing_is_lost_whatever_the_workers() -> None:
    speeds = Speeds(ENGINE, turn=0.05, learning=0.2, sync=1.0)
    for workers in (1, 2, 3, 4, 50):
        for part in (0, 1, 3):
            found = simulate(TALKS, workers, speeds, 4, part)
            assert (found.replies, found.reply_tokens) == (7, 61)
            assert found.waiting >= -1e-12
            longest = simulate([TALKS[2]], 1, speeds, 4).rollout
            assert found.rollout >= longest - 1e-12


def test_the_learner_starves_while_rollouts_take_longer() -> None:
    slow, fast = (Speeds(ENGINE, turn=0.05, learning=learning, sync=0.0) for learning in (10.0, 0.01))
    busy, starved = (simulate(TALKS, 2, speeds, 4) for speeds in (slow, fast))
    assert busy.starved == pytest.approx(0.0)
    assert starved.starved == pytest.approx(1.0 - starved.learning / starved.rollout)
    assert busy.overlapped == pytest.approx(busy.learning)


def test_a_part_is_as_large_as_the_loop_s() -> None:
    shared_play = pytest.importorskip("policies.training.on_policy.shared_play")
    assert shared_play.PART == PART
