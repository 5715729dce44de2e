"""Opens engines by their spec, reads and writes a spec's options, and finds the folders of named bases.

An adapter names its base in ``base_model_name_or_path``; one trained here says "tiny" or "smollm2", so that it finds
its base on every machine. No engine, and no machine-learning library, is imported until one is asked for.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar
from urllib.parse import quote, unquote

from pydantic import Field

from negotiation_env.engines.chat_model import ChatModel, EngineMissingError, EngineSpecError
from negotiation_env.engines.servers import ServerSettings, names_secret
from negotiation_env.engines.smollm2 import smollm2_path
from negotiation_env.errors import DataFileError, UsageError
from negotiation_env.files import Number, Table, as_toml, parse, read_json, toml_value

T = TypeVar("T")
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


class VLLMSettings(Table):
    """How vLLM runs a base, in vLLM's own words; None leaves it to vLLM."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Numbers of weights and keys."""
    tensor_parallel_size: Annotated[int, Field(ge=1)] = 1
    """GPUs that one base is cut over."""
    max_model_len: Annotated[int, Field(ge=32)] | None = None
    """Tokens of a prompt and its reply together."""
    gpu_memory_utilization: Annotated[Number, Field(gt=0.0, le=1.0)] | None = None
    """Share of a GPU's memory to take."""
    kv_cache_memory_bytes: Annotated[int, Field(ge=1 << 20)] | None = None
    """Memory for keys and values; on a CPU without it vLLM takes most of the machine's."""
    max_num_seqs: Annotated[int, Field(ge=1)] | None = None
    """Replies made at once."""
    enforce_eager: bool = False
    """Compile nothing: vLLM starts sooner and runs slower."""
    max_loras: Annotated[int, Field(ge=1, le=64)] = 4
    """Adapters in one batch."""
    max_lora_rank: Annotated[int, Field(ge=1, le=512)] | None = None
    """Highest rank of the base's adapters; None for that of the first adapter, and no adapters where the base is opened
    first."""


RECORD: Final = "record"
"""Option of every engine: a file to which its replies are added, and from which what was asked before is answered."""
FORMS = "smollm2, tiny, hf:ID_OR_PATH, vllm:ID_OR_PATH, auto:ID_OR_PATH, openai:BASE_URL#MODEL, recorded:PATH"
ENGINE_OPTIONS: Final = frozenset({RECORD, *ServerSettings.model_fields, *VLLMSettings.model_fields})
"""Options of a spec that are an engine's; a policy's are its own."""
_SETTINGS: Final[Mapping[str, type[Table]]] = {"openai": ServerSettings, "vllm": VLLMSettings}
KINDS = ("smollm2", "tiny", "hf", "vllm", "auto", "openai", "recorded")
"""What an engine spec begins with."""
_TEXTS: Final = frozenset({"name", "prompt", "cut", "key_env", "prefix", "limit", "record"})
"""Options that are texts even where they look like numbers."""
_MANY: Final = frozenset({"stop", "leave_out"})
"""Options that are lists of texts; each may be given several times."""
_open: dict[str, ChatModel] = {}
_lock = threading.RLock()


class Spec(NamedTuple):
    """A spec, taken apart.

    Attributes:
        head: what stands before the options.
        options: by name; ``extra`` and ``headers`` hold tables.
    """

    head: str
    options: dict[str, Any]


def split_spec(text: str) -> Spec:
    """Take apart ``HEAD?NAME=VALUE&...``; values are TOML, or texts, with ``%`` codes as in URLs.

    A dotted name reaches into a table (``extra.chat_template_kwargs.enable_thinking=false``). In ``openai:`` specs the
    options follow the model's name.

    Raises:
        EngineSpecError: if an option is no NAME=VALUE, is given twice, or is a key.
    """
    start = text.find("#") + 1 if text.startswith("openai:") else 0
    head, _, query = text[start:].partition("?")
    options: dict[str, Any] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise EngineSpecError(f"options: expected NAME=VALUE, got {part!r} in {text!r}; join several by &")
        _put(options, unquote(name), unquote(value))
    return Spec(text[:start] + head, options)


def _put(options: dict[str, Any], name: str, text: str) -> None:
    """Put one option's value where it belongs."""
    if name in _MANY:
        options.setdefault(name, [])
        options[name] += [text] if text else []
        return
    *tables, last = name.split(".") if name.startswith("extra.") else name.split(".", 1)
    if not tables and names_secret(name):
        raise EngineSpecError(f"options: expected no key in a spec, got {name}; name its variable: key_env=VARIABLE")
    place = options
    for table in tables:
        place = place.setdefault(table, {})
        if not isinstance(place, dict):
            raise EngineSpecError(f"options: expected one value for {name}, got two; leave one out")
    if last in place:
        raise EngineSpecError(f"options: expected {name} once, got it twice; leave one out")
    place[last] = text if name in _TEXTS or tables[:1] == ["headers"] else toml_value(text)


def join_spec(head: str, options: Mapping[str, Any]) -> str:
    """Return the text that ``split_spec`` takes apart into this; no value holds a comma or a space."""
    parts = [f"{quote(name, safe='.')}={quote(value, safe='')}" for name, value in _flat(options, "")]
    return f"{head}?{'&'.join(parts)}" if parts else head


def _flat(options: Mapping[str, Any], before: str) -> Iterable[tuple[str, str]]:
    for name, value in options.items():
        place = before + name
        if isinstance(value, Mapping):
            yield from _flat(value, f"{place}.")
        elif place in _MANY:
            yield from ((place, text) for text in value or ("",))
        elif place in _TEXTS or before.startswith("headers."):
            yield place, str(value)
        else:
            yield place, as_toml(value)


def checked(kind: type[T], options: Mapping[str, Any], where: str) -> T:
    """Return options as ``kind``. Raises ``UsageError`` on an unknown one or a value out of range."""
    try:
        return parse(kind, dict(options), where)
    except DataFileError as error:
        raise UsageError(str(error)) from error


def load_engine(spec: str) -> ChatModel:
    """The engine that a spec names; the same spec gives the same engine within a process.

    With the option ``record=PATH`` its replies are kept in a file, which ``recorded:PATH`` replays. ``auto:`` is
    ``vllm:`` where vLLM is installed and sees a GPU, else ``hf:``.

    Raises EngineSpecError (a ValueError) for a spec that names nothing, EngineMissingError (an
    ImportError) where a package is not installed, saying which to install, UsageError for an
    option that the engine does not have, or a value out of range.
    """
    head, options = split_spec(spec)
    kind, _, rest = head.partition(":")
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise EngineSpecError(f"engine: expected one of {FORMS}; got {spec!r}{hint}")
    if kind in NAMED_BASES and head != kind:
        raise EngineSpecError(f"engine: expected {kind} with nothing after it, got {spec!r}")
    if kind not in NAMED_BASES and not rest:
        raise EngineSpecError(f"engine: expected one of {FORMS}; got {spec!r} with nothing after :")
    if kind == "auto":
        kind = "vllm" if vllm_has_gpu() else "hf"
        head = f"{kind}:{rest}"
    key = join_spec(head, options)
    record = options.pop(RECORD, "")
    if options and kind not in _SETTINGS:
        raise UsageError(f"{head}: expected no options of a server, got {', '.join(options)}: they are openai's")
    with _lock:
        if key not in _open:
            settings = checked(_SETTINGS.get(kind, Table), options, f"options of {head}")
            engine = load_engine(head) if record and not options else _make(kind, rest, head, settings)
            _open[key] = _module("recorded", "llm").RecordingEngine(engine, record) if record else engine
        return _open[key]


def vllm_has_gpu() -> bool:
    """Whether vLLM is installed here, and there is a GPU for it."""
    if importlib.util.find_spec("vllm") is None:
        return False
    return bool(importlib.import_module("torch").cuda.is_available())


def _make(kind: str, rest: str, spec: str, settings: Table) -> ChatModel:
    engine: ChatModel
    if kind in (*NAMED_BASES, "hf"):
        module = _module("transformers_engine", "llm")
        engine = module.TransformersEngine(rest or kind, spec=spec)
    elif kind == "vllm":
        engine = _module("vllm_engine", "vllm").VLLMEngine(rest, settings)
    elif kind == "openai":
        engine = _module("openai_engine", "openai").OpenAIEngine(rest, settings)
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
