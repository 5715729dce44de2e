"""Files: the one place where TOML, JSON and JSON lines are read, checked against types, and written whole.

What a file must hold is a type: a ``Table``, another model or dataclass, or a plain type such as ``dict[str, int]``.
Where it holds something else ``DataFileError`` names the file, each wrong field (list items count from 1), what was
expected and what was got. A file is written beside its place and then put there, so a kill never leaves half of one.
"""

from __future__ import annotations

import json
import shutil
import tomllib
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, TypeAlias, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from negotiation_env.errors import DataFileError, did_you_mean

T = TypeVar("T")
LONGEST, MOST = 120, 10
"""Characters of a wrong value, and faults of one file, that an error tells."""

Text: TypeAlias = Annotated[str, Field(min_length=1)]
"""A text that is not empty."""
Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A finite number; neither true and false nor digits in a text."""
Many: TypeAlias = Annotated[tuple[T, ...], Field(strict=False)]
"""A list of a file as a tuple."""


class Table(BaseModel):
    """Base of a file's tables: no unknown fields, no silent conversions, no NaN, nothing to be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def named(members: Mapping[str, Any], what: str) -> BeforeValidator:
    """Return, for a field's annotation, what puts in place of a name what it names; ``what``: "a kind of check"."""

    def find(name: object) -> Any:
        if not isinstance(name, str) or name not in members:
            raise ValueError(f"expected {what}, got {name!r}.{did_you_mean(str(name), members)}")
        return members[name]

    return BeforeValidator(find)


def known(names: Collection[str], what: str) -> BeforeValidator:
    """Return, for a field's annotation, the check that a text is one of some names."""
    return named({name: name for name in names}, what)


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def parse(kind: type[T], data: object, where: str, do: str = "") -> T:
    """Return ``data``, as read from a file, as ``kind``.

    Raises ``DataFileError``, a line for each fault: ``where`` (file, line or table), the field, what was expected and
    got, and what to ``do`` about it.
    """
    try:
        return cast(T, _adapter(kind).validate_python(data))
    except ValidationError as error:
        # A misspelt field is also a missing one: the misspelling says more.
        faults = sorted(error.errors(include_url=False), key=lambda fault: fault["type"] not in _UNKNOWN)
        lines = [f"{where}: {_then(_fault(kind, fault), do)}" for fault in faults[:MOST]]
        lines += [f"{where}: {len(faults) - MOST} more faults"] if len(faults) > MOST else []
        raise DataFileError("\n".join(lines)) from error


_UNKNOWN: Final = ("extra_forbidden", "unexpected_keyword_argument")
_EXPECTED: Final = {
    **dict.fromkeys(("dict_type", "model_type", "dataclass_type", "arguments_type"), "a table"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "a list"),
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing"), "a date"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    "float_type": "a number", "float_parsing": "a number", "finite_number": "a finite number",
    "greater_than_equal": "a number of at least {ge}", "less_than_equal": "a number of at most {le}",
    "greater_than": "a number above {gt}", "less_than": "a number below {lt}",
    "string_type": "a text", "bool_type": "true or false", "bool_parsing": "true or false",
    "string_too_short": "a text of at least {min_length} characters", "too_short": "at least {min_length} items",
    "string_too_long": "a text of at most {max_length} characters", "too_long": "at most {max_length} items",
}  # fmt: skip
"""What was expected, by pydantic's name of the fault; for others pydantic's message says it."""


def _fault(kind: Any, fault: ErrorDetails) -> str:
    """Put one of a validation's faults into words."""
    place = [part for part in fault["loc"] if part != "[key]"]
    field = "".join(f"{part + 1 if isinstance(part, int) else part}." for part in place).removesuffix(".")
    said = f"{field}: " if field else ""
    if fault["type"] in _UNKNOWN:
        return f"{said}expected a known field, got {place[-1]!r}.{_field_hint(kind, place)}"
    if fault["type"] in ("missing", "missing_argument"):
        return f"{said}expected this field, got nothing"
    limits = fault.get("ctx", {})
    expected = _EXPECTED.get(fault["type"], "").format(**limits) or fault["msg"].removeprefix("Input should be ")
    if fault["type"] == "value_error":  # raised by a check of ours
        expected = str(limits["error"])
        if "expected " in expected:
            return said + expected
    shown = repr(fault["input"])
    shown = repr(fault["input"])
    return f"{said}expected {expected}, got {shown[:LONGEST]}{'...' if len(shown) > LONGEST else ''}"


def _field_hint(kind: Any, place: Sequence[int | str]) -> str:
    """Say where an unknown field belongs, or which one may be meant."""
    name, names = str(place[-1]), _fields_at(kind, place[:-1])
    tables = [table for table in ("", *_fields_at(kind, ())) if table not in place]
    homes = [table for table in tables if name in _fields_at(kind, (table,) if table else ())]
    if homes:
        return f" It belongs to {f'{homes[0]}.{name}'.lstrip('.')}."
    return did_you_mean(name, names) if names else ""


def _fields_at(kind: Any, place: Sequence[int | str]) -> dict[str, Any]:
    """Return the types of the fields of the model or other class at a place inside ``kind``; {} if it is none."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _fields_at(parts[0], place)
    if origin is not None:
        inside = place if origin in (Union, UnionType) else place[1:]
        return next((found for part in parts if (found := _fields_at(part, inside))), {})
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {info.alias or name: info.annotation for name, info in kind.model_fields.items()}
    else:  # a dataclass or a named tuple
        fields = dict.fromkeys(getattr(kind, "__annotations__", ()))
    return _fields_at(fields.get(str(place[0])), place[1:]) if place else fields


def _then(told: object, do: str) -> str:
    return f"{told}: {do}" if do else str(told)


def _text(path: Path, what: str, do: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        told = _then(getattr(error, "strerror", None) or error, do)
        raise DataFileError(f"{path}: expected a readable {what} file in UTF-8, got: {told}") from error


def read_toml(path: Path, kind: type[T], do: str = "") -> T:
    """Return a TOML file's content as ``kind``; see ``parse``. Raises ``DataFileError``."""
    text = _text(path, "TOML", do)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataFileError(f"{path}: expected readable TOML, got: {_then(error, do)}") from error
    return parse(kind, data, str(path), do)


def toml_value(text: str) -> Any:
    """Return a TOML value written in a command line; what is none is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def json_value(text: str) -> Any:
    """Return what JSON text holds that the project itself has written; raises ``ValueError`` where it is none."""
    return json.loads(text)


def as_toml(value: Any) -> str:
    """Return a value as TOML writes it: as JSON does, but for tables."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {as_toml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


def _json(text: str, where: str, do: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataFileError(f"{where}: expected readable JSON, got: {_then(error, do)}") from error


def read_json(path: Path, kind: type[T], do: str = "") -> T:
    """Return a JSON file's content as ``kind``; see ``parse``. Raises ``DataFileError``."""
    return parse(kind, _json(_text(path, "JSON", do), str(path), do), str(path), do)


def read_lines(path: Path, kind: type[T], torn: bool = False, do: str = "") -> Iterator[T]:
    """Yield each line of a JSON Lines file as ``kind``, as ``read_json`` does; blank lines are passed over.

    ``torn``: the file's writer may have been killed, so half a last line is passed over.
    """
    # Not splitlines: a text may hold other line ends, which JSON leaves as they are.
    lines = _text(path, "JSON Lines", do).split("\n")
    for number, line in enumerate(lines, 1):
        if not line or line.isspace():
            continue
        where = f"{path}:{number}"
        try:
            data = _json(line, where, do)
        except DataFileError:
            if torn and number == len(lines):
                return
            raise
        yield parse(kind, data, where, do)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole; its folder is made."""
    write_file(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_file(path: Path, fill: Callable[[Path], object]) -> None:
    """Have ``fill`` write a file beside ``path``, then put it in its place; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        fill(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, data: object, indent: int | None = 2, escaped: bool = False, ordered: bool = False) -> None:
    """Write JSON-able data as a file, whole; ``escaped``: in ASCII, which holds lone surrogates too."""
    write_text(path, json.dumps(data, ensure_ascii=escaped, indent=indent, sort_keys=ordered) + "\n")


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]], escaped: bool = False) -> int:
    """Write JSON-able rows as JSON Lines, whole, and return their number; ``escaped`` as in ``write_json``."""
    lines = [json.dumps(row, ensure_ascii=escaped) + "\n" for row in rows]
    write_text(path, "".join(lines))
    return len(lines)


def append_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add JSON-able rows to a JSON Lines file, in ASCII; one write a line, so several processes may add to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        for row in rows:
            file.write((json.dumps(row) + "\n").encode("ascii"))


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Append a JSON-able row to a JSON Lines file, in ASCII."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Have ``fill`` write a folder beside ``folder``, then put it in its place; a kill never leaves half a folder.

    One that is there already is moved aside first, so for an instant there is none: keep a copy where that matters.
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
