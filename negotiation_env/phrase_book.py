"""Phrase books: what can be said for each key, as data from TOML files, checked when they are loaded.

A phrase is plain text with known names in braces and one level of optional text in brackets, as in
``"How about {price}[ for the {room}]?"``: the brackets' text is said when the room has to be named. Nothing in a phrase
can reach code. This module knows no acts and no prices: ``wording`` picks phrases and fills them in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from negotiation_env.acts import Tactic
from negotiation_env.errors import DataFileError, UsageError, did_you_mean

PLACEHOLDERS: Final = ("price", "room", "hotel", "figure", "competitor", "event", "dates", "promise")
"""The names that phrases may hold in braces."""
_ALWAYS: Final = frozenset({"hotel", "room", "dates"})
_TYPED: Final = ("propose", "counter", "accept", "confirm", "hold")
_TACTICS: Final = tuple(t.name.lower() for t in Tactic if t is not Tactic.NONE)
_NEEDS: Final[dict[str, frozenset[str]]] = (
    dict.fromkeys(
        ("greet", "upset", "insult", "soothe", "ask.price", "ask.reason", "off_topic", "close", "close.walk"),
        frozenset(),
    )
    | dict.fromkeys(("close.bye", "promise.other", "accept.bare", "confirm.bare"), frozenset())
    | dict.fromkeys(("accept.room", "confirm.room", "hold.bare", "refuse", "reject"), frozenset({"room"}))
    | {f"{act}.{kind}": frozenset({"price", "room"}) for act in _TYPED for kind in ("selling", "net")}
    | {f"objection.{tactic}": frozenset() for tactic in _TACTICS}
    | {f"inform.{tactic}": frozenset() for tactic in ("fit", "partnership", "pressure")}
    | {f"inform.{name}": frozenset({"figure"}) for name in ("exposure", "conversion", "calendar.up", "calendar.down")}
    | {f"inform.{tactic}.plain": frozenset() for tactic in ("exposure", "conversion", "competitor", "calendar")}
    | {"inform.competitor": frozenset({"price"}), "promise": frozenset({"promise"})}
)
"""What a phrase must hold, per key. A room that is missing is put in front where it has to be named."""
KEYS: Final = tuple(_NEEDS)
"""The keys that a phrase book may have."""
_PART: Final = re.compile(r"\{([^{}]*)\}|[{}]")
_SAYS_TYPE: Final = re.compile(r"\b(?:selling|net)\b")


class Phrase(NamedTuple):
    """One phrase of a book, ready to be filled in with ``short % values`` or ``long % values``."""

    template: str
    short: str
    """Without the text in brackets."""
    long: str
    """With it: names the room, where a phrase of its key has one."""
    typed: bool
    """Whether it says "selling" or "net" itself."""
    names: frozenset[str]
    """The placeholders it holds."""


class Phrases(NamedTuple):
    """The phrases of one key."""

    all: tuple[Phrase, ...]
    typed: tuple[Phrase, ...]
    """Those that say the price type; all of them if none does."""


@dataclass(frozen=True, slots=True)
class PhraseBook:
    """Phrases per key, and per tone and key. Attributes are read only."""

    source: str
    """Where the book comes from, for messages."""
    phrases: Mapping[str, Phrases]
    tones: Mapping[str, Mapping[str, Phrases]]

    def lookup(self, key: str, tone: str | None) -> Phrases:
        """Return the phrases of a key: the tone's if it has some, else the book's.

        Raises:
            UsageError: the book has no such tone, or no phrases for the key.
        """
        if tone is not None:
            toned = self.tones.get(tone)
            if toned is None:
                raise UsageError(
                    f"expected a tone of {self.source}, got {tone!r}: correct it or leave it out."
                    f"{did_you_mean(tone, self.tones)}"
                )
            found = toned.get(key)
            if found is not None:
                return found
        found = self.phrases.get(key)
        if found is None:
            raise UsageError(f"expected phrases for {key!r} in {self.source}, found none: add some")
        return found

    def with_phrases(self, extra: Mapping[str, Sequence[str]]) -> PhraseBook:
        """Return a book in which the given phrases stand instead of this book's and its tones', key by key."""
        own = _read_keys(extra, f"{self.source}, own phrases")
        tones = {name: {k: p for k, p in keys.items() if k not in own} for name, keys in self.tones.items()}
        return replace(self, phrases={**self.phrases, **own}, tones=tones)


def load_phrase_book(path: str | Path) -> PhraseBook:
    """Read a phrase book from a TOML file.

    Raises:
        DataFileError: the file is missing or is no phrase book; names the file, the key, and what was expected.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataFileError(f"{path.name}: expected a readable TOML file, got: {error}; correct the file") from error
    tones = data.pop("tone", {})
    flat = _flatten(data)
    if not isinstance(tones, dict) or not all(isinstance(keys, dict) for keys in tones.values()):
        raise DataFileError(f"{path.name}, tone: expected tables [tone.NAME] of phrases, got {tones!r}")
    return PhraseBook(
        path.name,
        _read_keys(flat, path.name),
        {name: _read_keys(_flatten(keys), f"{path.name}, tone.{name}") for name, keys in tones.items()},
    )


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a table's keys in dotted form, whether they were quoted or not."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _read_keys(table: Mapping[str, Any], source: str) -> dict[str, Phrases]:
    """Check and prepare the phrases of each key."""
    read: dict[str, Phrases] = {}
    for key, templates in table.items():
        if key not in _NEEDS:
            raise DataFileError(f"{source}: unknown key {key!r}.{did_you_mean(key, KEYS)}")
        if isinstance(templates, str) or not isinstance(templates, Sequence) or not templates:
            raise DataFileError(f"{source}, {key}: expected a list of phrases, got {templates!r}")
        phrases = tuple(read_phrase(template, key, source) for template in templates)
        read[key] = Phrases(phrases, tuple(p for p in phrases if p.typed) or phrases)
    return read


def read_phrase(template: object, key: str, source: str) -> Phrase:
    """Check one phrase and prepare it.

    Raises:
        DataFileError: it is no text, holds an unknown name, misses one, or its brackets do not match.
    """
    where = f"{source}, {key}"
    if not isinstance(template, str) or not template.strip():
        raise DataFileError(f"{where}: expected a phrase as text, got {template!r}")
    names: set[str] = set()

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name not in PLACEHOLDERS:
            raise DataFileError(
                f"{where}: expected a name in braces out of {', '.join(PLACEHOLDERS)}, got {match[0]!r} in {template!r}"
            )
        names.add(name)
        return f"%({name})s"

    pieces = re.split(r"\[([^\[\]]*)\]", template)
    if any("[" in piece or "]" in piece for piece in pieces):
        raise DataFileError(f"{where}: expected brackets in pairs and not nested, got {template!r}")
    filled = [_PART.sub(fill, piece.replace("%", "%%")) for piece in pieces]
    needs = _NEEDS[key]
    missing = needs - names - {"room"}
    excess = names - needs - _ALWAYS - _about(key)
    if missing or excess:
        wrong = f"without {{{min(missing)}}}" if missing else f"with {{{min(excess)}}}"
        raise DataFileError(f"{where}: expected {_expected(key)} in the phrase, got one {wrong}: {template!r}")
    long = "".join(filled)
    if "room" in needs and "room" not in names:
        long = "For the %(room)s: " + long
        names.add("room")
    return Phrase(template, "".join(filled[::2]), long, bool(_SAYS_TYPE.search(template)), frozenset(names))


def _about(key: str) -> frozenset[str]:
    """Return the names that a key's phrases may hold beyond what they must."""
    if key.startswith("inform.competitor"):
        return frozenset({"competitor"})
    return frozenset({"event"}) if key.startswith("inform.calendar") else frozenset()


def _expected(key: str) -> str:
    names = sorted(_NEEDS[key] - {"room"})
    return " and ".join(f"{{{name}}}" for name in names) if names else "no figures or prices"
