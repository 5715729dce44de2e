"""Opens engines by their spec.

Knows the kinds of spec and which module serves each. Imports no engine until one is asked for.
"""

from __future__ import annotations

import difflib
import importlib
import threading
from typing import Any

from negotiation_env.engines.named_bases import NAMED_BASES
from negotiation_env.engines.protocol import ChatModel, EngineMissingError, EngineSpecError

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
