"""Opens engines by their spec, and finds the folders of bases that have a name of their own.

An adapter names its base in ``base_model_name_or_path``; one trained here says "tiny" or "smollm2", so that it finds
its base on every machine. No engine, and no machine-learning library, is imported until one is asked for.
"""

from __future__ import annotations

import difflib
import importlib
import threading
from pathlib import Path
from typing import Any, NamedTuple

from negotiation_env.engines.chat_model import ChatModel, EngineMissingError, EngineSpecError
from negotiation_env.engines.smollm2 import smollm2_path
from negotiation_env.files import read_json

NAMED_BASES = ("tiny", "smollm2")
_TINY = Path(__file__).with_name("tiny")


def tiny_path() -> Path:
    """Return the folder of the tiny base, which ships with the package (see its README.md)."""
    if not (_TINY / "config.json").is_file():
        raise EngineSpecError(f"{_TINY}: expected the tiny base's checkpoint, found none; install the package again")
    return _TINY


class AdapterConfig(NamedTuple):
    """What a PEFT adapter folder says of itself: its base, as ``base_path`` takes it, and its rank (0 if none)."""

    base: str
    rank: int


def adapter_config(name: str) -> AdapterConfig | None:
    """Return what an adapter folder says of itself; None where ``name`` is no adapter folder.

    Raises EngineSpecError where the folder holds no weights as safetensors, or names no base.
    """
    folder = Path(name).expanduser()
    if not (folder / "adapter_config.json").is_file():
        return None
    if not (folder / "adapter_model.safetensors").is_file():
        raise EngineSpecError(
            f"{name}: expected adapter_model.safetensors beside adapter_config.json, found none; "
            "save the adapter with safe_serialization=True"
        )
    config = read_json(folder / "adapter_config.json", dict[str, Any])
    base, rank = config.get("base_model_name_or_path"), config.get("r")
    if not isinstance(base, str) or not base:
        raise EngineSpecError(f'{name}: adapter_config.json names no base; set base_model_name_or_path, say "smollm2"')
    return AdapterConfig(base, rank if isinstance(rank, int) else 0)


def base_path(name: str) -> str:
    """Return what ``from_pretrained`` takes for a base: a named base's folder, a folder's full path, or a Hub id.

    Raises EngineSpecError or EngineMissingError where a named base is not there.
    """
    if name == "tiny":
        return str(tiny_path())
    if name == "smollm2":
        return str(smollm2_path())
    folder = Path(name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else name


FORMS = "smollm2, tiny, hf:ID_OR_PATH, vllm:ID_OR_PATH, openai:BASE_URL#MODEL, recorded:PATH"
_KINDS = ("smollm2", "tiny", "hf", "vllm", "openai", "recorded")
_open: dict[str, ChatModel] = {}
_lock = threading.RLock()


def load_engine(spec: str) -> ChatModel:
    """The engine that a spec names; the same spec gives the same engine within a process.

    Raises EngineSpecError (a ValueError) for a spec that names nothing, EngineMissingError (an
    ImportError) where a package is not installed, saying which to install.
    """
    kind, _, rest = spec.partition(":")
    if kind not in _KINDS:
        near = difflib.get_close_matches(kind, _KINDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise EngineSpecError(f"engine: expected one of {FORMS}; got {spec!r}{hint}")
    if kind in NAMED_BASES and spec != kind:
        raise EngineSpecError(f"engine: expected {kind} with nothing after it, got {spec!r}")
    if kind not in NAMED_BASES and not rest:
        raise EngineSpecError(f"engine: expected one of {FORMS}; got {spec!r} with nothing after :")
    with _lock:
        if spec not in _open:
            _open[spec] = _make(kind, rest, spec)
        return _open[spec]


def _make(kind: str, rest: str, spec: str) -> ChatModel:
    engine: ChatModel
    if kind in (*NAMED_BASES, "hf"):
        module = _module("transformers_engine", "llm")
        engine = module.TransformersEngine(rest or kind, spec=spec)
    elif kind == "vllm":
        engine = _module("vllm_engine", "vllm").VLLMEngine(rest)
    elif kind == "openai":
        engine = _module("openai_engine", "openai").OpenAIEngine(rest)
    else:
        engine = _module("recorded", "llm").RecordedEngine(rest)
    return engine


def _module(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(f"negotiation_env.engines.{name}")
    except ModuleNotFoundError as error:
        raise EngineMissingError(
            f"this engine needs the package {error.name}, which is not installed; "
            f"run: pip install negotiation-env[{extra}]"
        ) from error
