from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from negotiation_env.errors import UsageError
from negotiation_env.training.presets import read_preset
from policies.training.settings import PRESETS, SftPreset
from tests.policies.tiny_models import save_tiny_model, table

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from policies.training.plan import GPU_BYTES, HEADROOM, Work, make_plan, shape_of, show_plan, supervised_work  # noqa: E402


@pytest.fixture(scope="module")
def paper() -> SftPreset:
    return read_preset(SftPreset, "paper", PRESETS / "sft")


def test_the_paper_s_base_is_counted_on_the_meta_device(paper: SftPreset) -> None:
    shape = shape_of(paper)
    assert shape.base == 32_762_123_264  # Qwen3-32B's card says 32.8 B
    # Rank times (inputs plus outputs) of the seven matrices of each layer.
    widths = [(5120, 8192), (5120, 1024), (5120, 1024), (8192, 5120), (5120, 25600), (5120, 25600), (25600, 5120)]
    assert shape.adapter == 64 * 64 * sum(a + b for a, b in widths)


def test_counts_are_those_of_the_real_model(tmp_path: Path) -> None:
    from policies.training.supervised import load_base, with_adapter

    settings = read_preset(SftPreset, table(save_tiny_model(tmp_path)), PRESETS / "sft")
    model, _ = load_base(settings)
    base = sum(p.numel() for p in model.parameters())
    wrapped = with_adapter(model, settings)
    shape = shape_of(settings)
    assert shape.base == base
    assert shape.adapter == sum(p.numel() for p in wrapped.parameters() if p.requires_grad)


def test_the_layout_holds_what_one_gpu_does_not(paper: SftPreset) -> None:
    plan = make_plan(paper, supervised_work("sft", paper, 1000))
    assert sum(plan.memory.values()) > HEADROOM * GPU_BYTES
    assert plan.layout is not None and plan.layout.training_gpus > 1
    assert plan.layout.training_bytes <= HEADROOM * GPU_BYTES
    assert plan.layout.rollout_gpus == 0
    sampled = replace(plan.work, method="repo", sampled=6400, rollout_batch=64, trained_adapters=2)
    both = make_plan(paper, sampled)
    assert both.layout is not None and both.layout.rollout_gpus > 1
    assert both.trained == 2 * plan.trained
    assert both.memory["gradients"] == 2 * plan.memory["gradients"]


def test_steps_and_sequences(paper: SftPreset) -> None:
    assert supervised_work("sft", paper, 1000).steps == 8 * 10
    sft, dpo = (supervised_work(method, paper, 1000) for method in ("sft", "dpo"))
    assert (sft.sequences, dpo.sequences) == (10_000, 20_000)
    assert dpo.frozen_adapters == 1


def test_an_unknown_base_is_a_usage_error(paper: SftPreset) -> None:
    with pytest.raises(UsageError, match="Qwen3-32B"):
        make_plan(paper.model_copy(update={"base": "Qwen/Qwen3-23B"}), Work("sft", 1, 1, 1))


def test_the_table_shows_parameters_memory_steps_and_devices(
    paper: SftPreset, capsys: pytest.CaptureFixture[str]
) -> None:
    show_plan(Console(width=100), make_plan(paper, supervised_work("sft", paper, 1000)), "plan")
    shown = capsys.readouterr().out
    for told in ("32.76 B", "536.9 M", "optimiser (two moments)", "optimiser steps", "FSDP", "meta device"):
        assert told in shown


@pytest.mark.parametrize(("multiplies", "bytes_a_weight"), [({"avx512_bf16": True}, 2), ({}, 4)])
def test_the_base_is_held_in_what_the_processor_multiplies(
    multiplies: dict[str, bool], bytes_a_weight: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: multiplies)
    settings = read_preset(SftPreset, "small", PRESETS / "sft")
    plan = make_plan(settings, supervised_work("sft", settings, 100))
    assert settings.dtype == "auto" and plan.memory["base weights"] == bytes_a_weight * plan.shape.base
