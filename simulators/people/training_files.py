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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, Field, model_validator

from negotiation_env import files
from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.errors import DataFileError
from negotiation_env.files import Number, read_lines

TRAIN, TEST = "train", "test"
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
    """

    prompt: tuple[ChatMessage, ...]
    chosen: str
    rejected: str
    source: str = ""
    scenario: str = ""
    margin: float = 0.0
    split: str = ""
    sure: float | None = None

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


L = TypeVar("L", PreferencePair, Demonstration)


def read_preferences(path: str | Path) -> list[PreferencePair]:
    """Read and check a file of preference pairs.

    Raises:
        DataFileError: naming file, line and field, what was expected and what was found.
    """
    return [
        PreferencePair(
            prompt=line.prompt,
            chosen=line.chosen[0]["content"],
            rejected=line.rejected[0]["content"],
            source=line.source,
            scenario=line.scenario,
            margin=line.margin,
            split=line.split,
            sure=line.sure,
        )
        for line in _read(Path(path), _PreferenceLine)
    ]


def training_preferences(path: str | Path) -> list[PreferencePair]:
    """Return the training lines of a file of preference pairs (``split_lines``).

    Raises:
        DataFileError: where the file cannot be used, or holds test lines alone.
    """
    found = split_lines(read_preferences(path))[0]
    if not found:
        raise DataFileError(f'{path}: expected at least one line for training, got only ones with split "test"')
    return found


def read_sft(path: str | Path) -> list[Demonstration]:
    """Read and check a file of demonstrations; raises ``DataFileError`` as ``read_preferences`` does."""
    return [
        Demonstration(line.prompt, line.completion[0]["content"], line.source, line.scenario, line.split)
        for line in _read(Path(path), _DemonstrationLine)
    ]


def write_lines(path: str | Path, lines: Iterable[PreferencePair | Demonstration]) -> int:
    """Write lines as JSON Lines, the file whole, and return how many there were."""
    return files.write_lines(Path(path), (line.to_json() for line in lines))


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


def _is_held_out(line: PreferencePair | Demonstration) -> bool:
    name = line.scenario or json.dumps(line.prompt)
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) / 2**32 < _HELD_OUT_SHARE


def _from_user(messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
    last = repr(messages[-1]["role"]) if messages else "none"
    if last != "'user'":
        raise ValueError(f"expected the last message from 'user', got {last}")
    return messages


def _one_reply(messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
    roles = [message["role"] for message in messages]
    if roles != ["assistant"]:
        raise ValueError(f"expected one message from 'assistant' (the dialogue belongs in prompt), got {roles}")
    return messages


_Reply: TypeAlias = Annotated[tuple[ChatMessage, ...], AfterValidator(_one_reply)]


class _ExampleLine(BaseModel):
    """What a line of either kind holds; unknown fields are passed over."""

    prompt: Annotated[tuple[ChatMessage, ...], AfterValidator(_from_user)]
    source: str = ""
    scenario: str = ""
    split: Literal["", "train", "test"] = ""


class _PreferenceLine(_ExampleLine):
    chosen: _Reply
    rejected: _Reply
    margin: Annotated[Number, Field(ge=0.0)] = 0.0
    sure: Annotated[Number, Field(ge=0.0, le=1.0)] | None = None

    @model_validator(mode="after")
    def _differ(self) -> _PreferenceLine:
        if self.chosen == self.rejected:
            raise ValueError("rejected: expected another reply than the chosen one, got the same text")
        return self


class _DemonstrationLine(_ExampleLine):
    completion: _Reply


R = TypeVar("R", bound=_ExampleLine)


def _read(path: Path, kind: type[R]) -> list[R]:
    lines = list(read_lines(path, kind))
    if not lines:
        raise DataFileError(f"{path}: expected at least one line, got an empty file")
    return lines


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
