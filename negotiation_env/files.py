"""Files: the one place where TOML, JSON and JSON lines are read, checked against types, and written whole.

What a file must hold is a type: a pydantic model, a dataclass, or a plain type such as ``dict[str, list[str]]``. A file
that holds something else raises ``DataFileError``, which names the file, the field, what was expected and what was got.
A file is written beside its place and then put there, so that a kill leaves the old one or the new one, never half.
"""

from __future__ import annotations

import json
import os
import shutil
import tomllib
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from negotiation_env.errors import DataFileError, did_you_mean

T = TypeVar("T")
LONGEST = 120
"""Characters of a wrong value that an error shows."""


@cache
def _cached_adapter(kind: Hashable) -> TypeAdapter[Any]:
    found: Any = kind
    return TypeAdapter(found)


def _adapter(kind: Any) -> TypeAdapter[Any]:
    return _cached_adapter(kind)


def parse(kind: type[T], data: object, where: str) -> T:
    """Return ``data`` as ``kind``.

    Raises:
        DataFileError: naming ``where``, the field, what was expected and what was got.
    """
    try:
        found: T = _adapter(kind).validate_python(data)
    except ValidationError as error:
        raise DataFileError(f"{where}: {_fault(kind, error)}") from error
    return found


def _fault(kind: Any, error: ValidationError) -> str:
    """Put the first of a validation's errors into words."""
    fault = error.errors()[0]
    field = ".".join(str(part) for part in fault["loc"])
    message, value, hint = fault["msg"], fault["input"], ""
    if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        names = _names_at(kind, fault["loc"][:-1])
        hint = did_you_mean(str(fault["loc"][-1]), names) if names else ""
        message = f"expected one of {', '.join(names)}" if names else "expected no such field"
    elif fault["type"] == "missing":
        return f"{field}: expected this field, which is missing"
    elif fault["type"] in ("value_error", "assertion_error"):
        message = message.partition(", ")[2]
        return f"{field}: {message}" if field else message
    elif message.startswith("Input should be "):
        message = f"expected {message.removeprefix('Input should be ')}"
    shown = repr(value)
    shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
    return f"{f'{field}: ' if field else ''}{message}, got {shown}{f'.{hint}' if hint else ''}"


def _names_at(kind: Any, place: tuple[int | str, ...]) -> list[str]:
    """Return the field names of the model at a place inside ``kind``; [] where it is none."""
    if not place and isinstance(kind, type) and issubclass(kind, BaseModel):
        return sorted(kind.model_fields)
    if place and isinstance(kind, type) and issubclass(kind, BaseModel) and place[0] in kind.model_fields:
        return _names_at(kind.model_fields[str(place[0])].annotation, place[1:])
    inner = getattr(kind, "__args__", ())
    return next((names for part in inner if (names := _names_at(part, place[1:] if place else ()))), [])


def _text(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileError(f"{path}: expected a readable {what} file, got: {error}") from error


def read_toml(path: Path, kind: type[T]) -> T:
    """Return a TOML file's content as ``kind``. Raises ``DataFileError``."""
    try:
        data = tomllib.loads(_text(path, "TOML"))
    except tomllib.TOMLDecodeError as error:
        raise DataFileError(f"{path}: expected a readable TOML file, got: {error}; correct the file") from error
    return parse(kind, data, str(path))


def toml_value(text: str) -> Any:
    """Return a TOML value written in a command line; what is none is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def read_json(path: Path, kind: type[T]) -> T:
    """Return a JSON file's content as ``kind``. Raises ``DataFileError``."""
    try:
        data = json.loads(_text(path, "JSON"))
    except ValueError as error:
        raise DataFileError(f"{path}: expected a readable JSON file, got: {error}") from error
    return parse(kind, data, str(path))


def read_lines(path: Path, kind: type[T], torn: bool = False) -> Iterator[T]:
    """Yield each line of a JSON Lines file as ``kind``; blank lines are passed over.

    Args:
        path: the file, in UTF-8.
        kind: what a line must hold.
        torn: the file's writer may have been killed: a last line without its end is passed over.

    Raises:
        DataFileError: naming file, line and field.
    """
    lines = _text(path, "JSON Lines").split("\n")
    whole = lines[:-1] if torn else lines
    for number, line in enumerate(whole, 1):
        if line.strip():
            try:
                data = json.loads(line)
            except ValueError as error:
                raise DataFileError(f"{path}:{number}: expected a JSON object, got: {error}") from error
            yield parse(kind, data, f"{path}:{number}")


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole; its folder is made."""
    write_file(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_file(path: Path, fill: Callable[[Path], object]) -> None:
    """Have ``fill`` write a file beside ``path``, then put it in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        fill(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def to_json(data: object) -> Any:
    """Return pydantic models, dataclasses, paths and dates as JSON-able data."""
    return _adapter(type(data)).dump_python(data, mode="json")


def write_json(path: Path, data: object, indent: int | None = 2) -> None:
    """Write JSON-able data as a file, whole."""
    write_text(path, json.dumps(data, ensure_ascii=False, indent=indent) + "\n")


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write JSON-able rows as JSON Lines, whole, and return their number."""
    count = 0

    def fill(part: Path) -> None:
        nonlocal count
        with part.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())

    write_file(path, fill)
    return count


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Have ``fill`` write a folder beside ``folder``, then put it in its place; a kill never leaves half a folder.

    Where ``folder`` is there already it is moved aside first, so for an instant there is none: keep an older one
    under another name where that matters.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex[:8]
    fresh, old = (folder.with_name(f".{folder.name}.{mark}.{end}") for end in ("new", "old"))
    fresh.mkdir()
    fill(fresh)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
