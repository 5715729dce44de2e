"""Training data on disk: preference pairs and demonstrations as JSON Lines in the conversational format of TRL.

One line is one example. A preference line holds ``prompt`` (chat messages, the last one the user's), ``chosen`` and
``rejected`` (one assistant message each); a demonstration holds ``prompt`` and ``completion``. All other fields are
optional, and unknown ones are passed over, so a file made elsewhere works as well. The figures of a file (composition,
splits, what the annotators' noise allows, length artefacts, overlap) are made from its lines alone; what a file does
not say is None.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import numpy as np

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.errors import DataFileError

TRAIN, TEST = "train", "test"
_ROLES: Final = ("system", "user", "assistant")
_HELD_OUT_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """Two replies to one prompt, of which an annotator chose one.

    Attributes:
        prompt: the chat that both answer; the last message is the user's.
        chosen, rejected: the replies' text; "" is silence.
        source: who compared ("" if not said).
        scenario: name of the scenario behind the prompt; pairs of one scenario belong to one split ("" if not said).
        margin: how much better the chosen reply is, as the annotator says: 0 "slightly" and up; 0 if not said.
        split: "train", "test", or "" if not said.
        sure: probability with which this simulated annotator makes this choice; None for real annotators.
        replay: what is needed to rebuild the public state; None in a file made elsewhere.
    """

    prompt: tuple[ChatMessage, ...]
    chosen: str
    rejected: str
    source: str = ""
    scenario: str = ""
    margin: float = 0.0
    split: str = ""
    sure: float | None = None
    replay: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the line's data; optional fields that are not set are left out."""
        line: dict[str, Any] = {
            "prompt": list(self.prompt),
            "chosen": [{"role": "assistant", "content": self.chosen}],
            "rejected": [{"role": "assistant", "content": self.rejected}],
            "source": self.source,
            "scenario": self.scenario,
            "margin": self.margin,
            "split": self.split,
        }
        if self.sure is not None:
            line["sure"] = round(self.sure, 4)
        if self.replay is not None:
            line["replay"] = self.replay
        return line


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A reply worth imitating; fields as in ``PreferencePair``."""

    prompt: tuple[ChatMessage, ...]
    completion: str
    source: str = ""
    scenario: str = ""
    split: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the line's data."""
        return {
            "prompt": list(self.prompt),
            "completion": [{"role": "assistant", "content": self.completion}],
            "source": self.source,
            "scenario": self.scenario,
            "split": self.split,
        }


class _Line(Protocol):
    """What both kinds of line have."""

    @property
    def prompt(self) -> tuple[ChatMessage, ...]: ...
    @property
    def scenario(self) -> str: ...
    @property
    def split(self) -> str: ...


L = TypeVar("L", PreferencePair, Demonstration)


def read_preferences(path: str | Path) -> list[PreferencePair]:
    """Read and check a file of preference pairs.

    Raises:
        DataFileError: naming file, line and field, what was expected and what was found.
    """
    return _read(Path(path), _preference)


def read_sft(path: str | Path) -> list[Demonstration]:
    """Read and check a file of demonstrations; raises ``DataFileError`` as ``read_preferences`` does."""
    return _read(Path(path), _demonstration)


def write_lines(path: str | Path, lines: Iterable[PreferencePair | Demonstration]) -> int:
    """Write lines as JSON Lines and return how many there were."""
    count = 0
    with Path(path).open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line.to_json(), ensure_ascii=False) + "\n")
            count += 1
    return count


def split_lines(lines: Sequence[L]) -> tuple[list[L], list[L]]:
    """Return (training lines, test lines) as the lines say; where none says so, a tenth of the scenarios is held out.

    A line without ``split`` belongs to training if other lines do say. Scenarios without a name are told apart by
    their prompts. The same file always gives the same two parts.
    """
    if any(line.split == TEST for line in lines):
        return [x for x in lines if x.split != TEST], [x for x in lines if x.split == TEST]
    held = [_is_held_out(line) for line in lines]
    return (
        [x for x, out in zip(lines, held, strict=True) if not out],
        [x for x, out in zip(lines, held, strict=True) if out],
    )


def _is_held_out(line: _Line) -> bool:
    name = line.scenario or json.dumps(line.prompt)
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) / 2**32 < _HELD_OUT_SHARE


def _read(path: Path, parse: Callable[[dict[str, Any], str], L]) -> list[L]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileError(f"{path}: expected a readable UTF-8 file of JSON Lines, got: {error}") from error
    lines: list[L] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            data = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataFileError(f"{where}: expected one JSON object a line, got {error}") from error
        if not isinstance(data, dict):
            raise DataFileError(f"{where}: expected a JSON object, got {type(data).__name__}")
        lines.append(parse(data, where))
    if not lines:
        raise DataFileError(f"{path}: expected at least one line, got an empty file")
    return lines


def _preference(data: dict[str, Any], where: str) -> PreferencePair:
    margin = data.get("margin", 0.0)
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0.0 <= margin < float("inf"):
        raise DataFileError(f"{where}: margin: expected a number of at least 0, got {margin!r}")
    sure = data.get("sure")
    if sure is not None and (isinstance(sure, bool) or not isinstance(sure, int | float) or not 0.0 <= sure <= 1.0):
        raise DataFileError(f"{where}: sure: expected a probability from 0 to 1, got {sure!r}")
    replay = data.get("replay")
    if replay is not None and not isinstance(replay, dict):
        raise DataFileError(f"{where}: replay: expected an object, got {type(replay).__name__}: leave it out")
    pair = PreferencePair(
        prompt=_prompt(data, where),
        chosen=_reply(data, "chosen", where),
        rejected=_reply(data, "rejected", where),
        source=_name(data, "source", where),
        scenario=_name(data, "scenario", where),
        margin=float(margin),
        split=_split(data, where),
        sure=None if sure is None else float(sure),
        replay=replay,
    )
    if pair.chosen == pair.rejected:
        raise DataFileError(f"{where}: rejected: expected another reply than the chosen one, got the same text")
    return pair


def _demonstration(data: dict[str, Any], where: str) -> Demonstration:
    return Demonstration(
        prompt=_prompt(data, where),
        completion=_reply(data, "completion", where),
        source=_name(data, "source", where),
        scenario=_name(data, "scenario", where),
        split=_split(data, where),
    )


def _prompt(data: dict[str, Any], where: str) -> tuple[ChatMessage, ...]:
    messages = _messages(data, "prompt", where)
    if messages[-1]["role"] != "user":
        raise DataFileError(f"{where}: prompt: expected the last message from 'user', got {messages[-1]['role']!r}")
    return messages


def _reply(data: dict[str, Any], field: str, where: str) -> str:
    messages = _messages(data, field, where)
    roles = [message["role"] for message in messages]
    if roles != ["assistant"]:
        raise DataFileError(
            f"{where}: {field}: expected one message from 'assistant' (the dialogue belongs in prompt), got {roles}"
        )
    return messages[0]["content"]


def _messages(data: dict[str, Any], field: str, where: str) -> tuple[ChatMessage, ...]:
    value = data.get(field)
    if not isinstance(value, list) or not value:
        got = "nothing" if field not in data else repr(value)[:60]
        raise DataFileError(f"{where}: {field}: expected a list of chat messages (role and content), got {got}")
    messages: list[ChatMessage] = []
    for i, message in enumerate(value):
        place = f"{where}: {field}[{i}]"
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise DataFileError(f"{place}: expected a role out of {_ROLES} and a content, got {message!r}"[:300])
        if not isinstance(message.get("content"), str):
            raise DataFileError(f"{place}: content: expected text, got {message.get('content')!r}"[:300])
        messages.append({"role": message["role"], "content": message["content"]})
    return tuple(messages)


def _name(data: dict[str, Any], field: str, where: str) -> str:
    value = data.get(field, "")
    if not isinstance(value, str):
        raise DataFileError(f"{where}: {field}: expected text, got {value!r}")
    return value


def _split(data: dict[str, Any], where: str) -> str:
    value = data.get("split", "")
    if value not in ("", TRAIN, TEST):
        raise DataFileError(f"{where}: split: expected {TRAIN!r} or {TEST!r}, got {value!r}")
    return str(value)


class PreferenceFigures(NamedTuple):
    """Figures about some pairs.

    Attributes:
        pairs: how many.
        test: how many of them are test pairs.
        scenarios: different scenarios.
        ceiling: best accuracy that any model can reach on them, given the annotators' stated noise; None if not stated.
        right: share of pairs whose chosen reply is the one that the annotator more probably prefers; None likewise.
        length_correlation: see ``length_correlation``.
        mean_margin: mean margin.
    """

    pairs: int
    test: int
    scenarios: int
    ceiling: float | None
    right: float | None
    length_correlation: float
    mean_margin: float


def preference_figures(pairs: Sequence[PreferencePair]) -> PreferenceFigures:
    """Return the figures about pairs (at least one)."""
    sure = np.array([p.sure for p in pairs if p.sure is not None])
    return PreferenceFigures(
        pairs=len(pairs),
        test=sum(p.split == TEST for p in pairs),
        scenarios=len({p.scenario for p in pairs}),
        ceiling=float(np.maximum(sure, 1.0 - sure).mean()) if len(sure) else None,
        right=float((sure > 0.5).mean()) if len(sure) else None,
        length_correlation=length_correlation(pairs),
        mean_margin=float(np.mean([p.margin for p in pairs])),
    )


def length_correlation(pairs: Sequence[PreferencePair]) -> float:
    """Return the correlation of length difference (characters) and preference over pairs in both orders.

    With every pair taken as (chosen, rejected, +1) and as (rejected, chosen, -1) this is mean(d) / sqrt(mean(d^2)) of
    d = length of the chosen reply less that of the rejected one: 0 where length tells nothing, 1 where longer wins.
    """
    d = np.array([len(p.chosen) - len(p.rejected) for p in pairs], dtype=np.float64)
    size = float(np.sqrt((d * d).mean()))
    return float(d.mean()) / size if size else 0.0


def by_source(pairs: Sequence[PreferencePair]) -> dict[str, list[PreferencePair]]:
    """Return the pairs of each source, in order of first appearance."""
    groups: dict[str, list[PreferencePair]] = {}
    for pair in pairs:
        groups.setdefault(pair.source or "(not said)", []).append(pair)
    return groups


def shared(train: Sequence[str], test: Sequence[str]) -> float:
    """Return the share of test items that occur in training."""
    seen = set(train)
    return sum(x in seen for x in test) / max(len(test), 1)


def reply_texts(lines: Sequence[PreferencePair] | Sequence[Demonstration]) -> list[str]:
    """Return every reply's text that is no silence."""
    texts: list[str] = []
    for line in lines:
        texts += [line.chosen, line.rejected] if isinstance(line, PreferencePair) else [line.completion]
    return [text for text in texts if text]
