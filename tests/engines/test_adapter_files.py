"""Adapter files: every tensor comes from the file, or loading fails with the names and leaves nothing behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")

from safetensors.torch import load_file, save_file  # noqa: E402

from negotiation_env.engines.chat_model import EngineSpecError  # noqa: E402
from negotiation_env.engines.checkpoints import Base, tensor_mismatch  # noqa: E402
from negotiation_env.engines.scoring import load_head  # noqa: E402
from negotiation_env.engines.specs import tiny_path  # noqa: E402
from negotiation_env.errors import DataFileError  # noqa: E402
from negotiation_env.training.lora import read_adapter  # noqa: E402
from policies.adapters import ARTIFACTS  # noqa: E402

Tensors = dict[str, Any]
SHIPPED = ARTIFACTS / "sft-tiny"
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


@pytest.fixture
def base() -> Base:
    """A base of its own, which no other test's adapters are on."""
    return Base(str(tiny_path()), "cpu", torch.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "adapter"))


def change(folder: Path, how: Callable[[Tensors], Tensors]) -> None:
    save_file({name: t.contiguous() for name, t in how(load_file(folder / WEIGHTS)).items()}, folder / WEIGHTS)


def settings(folder: Path, **values: Any) -> None:
    data = json.loads((folder / CONFIG).read_text(encoding="utf-8")) | values
    (folder / CONFIG).write_text(json.dumps(data), encoding="utf-8")


def layout(base: Base) -> tuple[list[str], list[str]]:
    with base.use(None) as model:
        return [name for name, _ in model.named_modules()], [name for name, _ in model.named_parameters()]


def without_one(tensors: Tensors) -> Tensors:
    return {name: t for name, t in tensors.items() if name != min(tensors)}


def with_another(tensors: Tensors) -> Tensors:
    return {**tensors, "base_model.model.model.layers.99.self_attn.q_proj.lora_A.weight": torch.ones(2, 2)}


def wider(tensors: Tensors) -> Tensors:
    return {n: torch.cat([t, t], dim=0) if "lora_A" in n else torch.cat([t, t], dim=1) for n, t in tensors.items()}


CASES: list[tuple[Callable[[Tensors], Tensors], list[str]]] = [
    (without_one, ["1 missing: base_model.model"]),
    (with_another, ["1 not the adapter's", "layers.99"]),
    (wider, ["of another shape", "in place of", ", ..."]),
    (lambda tensors: {}, ["missing"]),
]


@pytest.mark.parametrize(("how", "parts"), CASES)
@pytest.mark.parametrize("loaded", [False, True])
def test_a_wrong_file_is_told_in_a_line_and_leaves_nothing(
    base: Base, folder: Path, how: Callable[[Tensors], Tensors], parts: list[str], loaded: bool
) -> None:
    if loaded:
        base.add_adapter(str(SHIPPED))
    before = layout(base)
    change(folder, how)
    with pytest.raises(EngineSpecError) as error:
        base.add_adapter(str(folder))
    said = str(error.value)
    assert all(part in said for part in [str(folder), *parts]), said
    assert "\n" not in said and len(said) < 1200
    assert layout(base) == before
    shutil.copy(SHIPPED / WEIGHTS, folder / WEIGHTS)
    assert base.add_adapter(str(folder))


@pytest.mark.parametrize("kept", [0, 5, 200, 0.5, 0.99])
def test_a_torn_file_is_told_in_a_line(base: Base, folder: Path, kept: float) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: int(kept * len(data)) if 0 < kept < 1 else int(kept)])
    before = layout(base)
    with pytest.raises(EngineSpecError, match="expected a whole adapter_model") as error:
        base.add_adapter(str(folder))
    assert "\n" not in str(error.value)
    assert layout(base) == before


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"target_modules": ["no_such_proj"]}, "no_such_proj"),
        ({"r": 3}, "of another shape"),
        ({"r": 0}, "got"),
        ({"peft_type": "LORAX"}, "LORAX"),
        ({"target_modules": ["q_proj", "v_proj", "embed_tokens"]}, "missing"),
    ],
)
@pytest.mark.parametrize("loaded", [False, True])
def test_wrong_settings_are_told_in_a_line(
    base: Base, folder: Path, values: dict[str, Any], part: str, loaded: bool
) -> None:
    if loaded:
        base.add_adapter(str(SHIPPED))
    before = layout(base)
    settings(folder, **values)
    with pytest.raises(EngineSpecError) as error:
        base.add_adapter(str(folder))
    assert part in str(error.value) and "\n" not in str(error.value)
    assert layout(base) == before


def test_every_tensor_of_a_loaded_adapter_is_the_files(base: Base, folder: Path) -> None:
    adapter = base.add_adapter(str(folder))
    own = peft.get_peft_model_state_dict(base._wrapped, adapter_name=adapter, save_embedding_layers=False)
    found = load_file(folder / WEIGHTS)
    assert tensor_mismatch(own, found) == ""
    assert all(torch.equal(own[name], found[name].to(own[name].dtype)) for name in found)


@pytest.mark.parametrize(("how", "parts"), CASES)
def test_a_head_is_whole_or_told(base: Base, folder: Path, how: Callable[[Tensors], Tensors], parts: list[str]) -> None:
    with pytest.raises(EngineSpecError, match="expected a SEQ_CLS adapter"):  # whole, but no reward's
        load_head(base, folder)
    change(folder, how)
    with pytest.raises(EngineSpecError) as error:
        load_head(base, folder)
    assert str(folder) in str(error.value) and "\n" not in str(error.value)
    (folder / WEIGHTS).write_bytes((SHIPPED / WEIGHTS).read_bytes()[:1000])
    with pytest.raises(EngineSpecError, match="expected a whole adapter_model"):
        load_head(base, folder)


def test_a_training_run_names_the_tensors_that_do_not_fit(folder: Path) -> None:
    own = load_file(SHIPPED / WEIGHTS)
    assert read_adapter(folder, own).keys() == own.keys()
    change(folder, without_one)
    with pytest.raises(DataFileError, match="1 missing: base_model"):
        read_adapter(folder, own)
    (folder / WEIGHTS).write_bytes(b"")
    with pytest.raises(DataFileError, match="whole"):
        read_adapter(folder, own)
