"""Personas: the format of a persona file, and finding, loading and sampling the shipped ones, a user's, and plug-ins.

A persona is a TOML file; only ``name`` is required, and nothing in it can reach code. Plug-ins announce themselves
under the entry-point group ``negotiation_env.personas``: a callable that returns paths of persona files or ``Persona``
objects.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from negotiation_env.errors import DataFileError, UsageError, did_you_mean
from negotiation_env.files import Table, known, parse, read_toml
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import TaskCard, card_numbers
from negotiation_env.game.world import HOTEL_KINDS
from negotiation_env.language.wording import KEYS, read_phrase
from negotiation_env.play.own_parts import error_line
from simulators.concerns import CONCERNS, HouseFit
from simulators.dynamics import PERSONA_TURN, Traits, house_of, share_edges

MAX_FILE_BYTES = 64 * 1024
CONCESSION_WORDS = {"boulware": 0.25, "linear": 1.0, "conceder": 3.0}
"""Words for ``beta``, after the families of Faratin et al. (1998)."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
ShortText = Annotated[str, Field(max_length=80)]
LongText = Annotated[str, Field(max_length=400)]


def _beta_word(value: object) -> object:
    """Turn a concession family's name into its number; leave everything else to the validator."""
    if not isinstance(value, str):
        return value
    if value.lower() in CONCESSION_WORDS:
        return CONCESSION_WORDS[value.lower()]
    hint = did_you_mean(value.lower(), CONCESSION_WORDS)
    raise ValueError(f"expected a number from 0.05 to 10, or one of the words, got {value!r}.{hint}")


def _plain_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise ValueError("lower-case letters, digits and hyphens")
    return name


def _phrase_lists(value: object) -> object:
    """Let a single template stand for a list of one, and a dotted key be written without quotes."""
    if not isinstance(value, Mapping):
        return value
    flat: dict[object, object] = {}
    for key, one in value.items():
        if isinstance(one, Mapping):
            flat.update({f"{key}.{inner}": [t] if isinstance(t, str) else t for inner, t in one.items()})
        else:
            flat[key] = [one] if isinstance(one, str) else one
    return flat


class Decides(Table):
    """How the manager decides; the numbers that the dynamics use."""

    beta: Annotated[float, Field(ge=0.05, le=10.0), BeforeValidator(_beta_word)] = 1.0
    """Shape of concession over time (Faratin et al. 1998): below 1 Boulware, above 1 conceder."""
    time_weight: Share = 0.3
    """Share of its margin that time alone opens."""
    deadline: Annotated[float, Field(ge=3.0, le=30.0)] = 12.0
    """Turns after which time has opened all that it opens."""
    reciprocity: Share = 0.3
    """How far it answers the agent's concessions with its own."""
    moves: Share = 0.5
    """Probability that it moves its price at all when it is asked early and hears nothing new."""
    step: Annotated[float, Field(ge=0.0, le=0.1)] = 0.015
    """Smallest move that it makes, as a share of the selling price."""
    takes: Annotated[float, Field(ge=0.0, le=3.0)] = 0.3
    """How far below the limit that it haggles for it takes a figure of the agent's own; shipped ones keep below 1."""
    keeps: Share = 1.0
    """How much of its margin it keeps back for itself, whatever is said; 0 hides its floor least."""
    meets: Share = 0.55
    """Probability that it answers a figure that it could take, but far from its own, with one in between."""
    concern: Annotated[float, Field(ge=0.0, le=0.8)] = 0.25
    """Share of its room that stays shut until the agent has spoken to what weighs on it."""
    mood: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.0
    """Mood at the start."""
    temper: Share = 0.5
    """How hard pressure, rudeness and repetition hit."""
    forgiving: Share = 0.5
    """What soothing gives back."""
    trust: Share = 0.6
    """Trust at the start."""
    vigilance: Share = 0.5
    """Probability that it catches a lie."""
    patience: Annotated[float, Field(ge=2.0, le=15.0)] = 6.0
    """Turns without news that it puts up with."""
    answers: Share = 0.5
    """Probability that it answers the first message."""
    keeps_answering: Share = 0.97
    """Probability that it answers a later one."""
    wants_reason: Share = 0.5
    """Probability that it asks what it gains before it quotes."""
    price_type: Literal["selling", "net"] = "selling"
    """The price type it speaks in."""
    rounding: Literal[1, 5, 10] = 1
    """Its figures are multiples of this many yuan."""


class Persuaded(Table):
    """How much of its margin a fresh, strong argument of each kind opens; typical 0.02 to 0.35."""

    exposure: Share = 0.1
    conversion: Share = 0.1
    competitor: Share = 0.1
    calendar: Share = 0.1
    fit: Share = 0.1
    partnership: Share = 0.1
    pressure: Annotated[float, Field(ge=-0.3, le=0.3)] = 0.0


class Persona(Table):
    """One hotel manager: who it is, how it talks, how it decides."""

    name: Annotated[str, AfterValidator(_plain_name), Field(max_length=40)]
    title: ShortText = "hotel manager"
    description: LongText = "You run a hotel and decide about its room rates."
    """One or two sentences; the language model's prompt holds them."""
    voice: LongText = "Polite and plain, in short sentences."
    """How it talks; the language model's prompt holds it."""
    tone: Literal["angry", "curt", "formal", "plain", "upset", "warm"] = "plain"
    """Tone of the phrase book, where it has that one, and of the language model's examples."""
    weight: Annotated[float, Field(ge=0.0, le=1000.0)] = 1.0
    """Sampling weight relative to the other personas."""
    fits: HouseFit = HouseFit()
    """The houses that it is drawn for; asked for by name it sits anywhere."""
    concerns: Annotated[list[Annotated[str, known(CONCERNS, "a concern")]], Field(max_length=len(CONCERNS))] = Field(
        default_factory=list
    )
    """What may weigh on it, see ``simulators.concerns``; none named stands for any."""
    decides: Decides = Decides()
    tactics: Persuaded = Persuaded()
    phrases: Annotated[
        dict[
            Annotated[str, known(KEYS, "a phrase-book key")],
            Annotated[list[Annotated[str, Field(min_length=1, max_length=300)]], Field(min_length=1)],
        ],
        BeforeValidator(_phrase_lists),
    ] = Field(default_factory=dict)
    """Its own templates, by phrase-book key; they replace the phrase book's."""

    def traits(self) -> Traits:
        """Return the numbers that the dynamics use, exactly as the file gives them."""
        given = {name: float(value) for name, value in self.decides if name != "price_type"}
        # In the order of ``Tactic``; the first is no tactic.
        tactics = (0.0, *(float(value) for _, value in self.tactics))
        return Traits(**given, net=self.decides.price_type == "net", tactics=tactics)

    def houses(self) -> tuple[bool, ...]:
        """Return whether it fits each of the houses that the dynamics tell apart."""
        return tuple(self.fits.suits(kind, stars) for kind in HOTEL_KINDS for stars in range(1, 6))


def read_persona(path: Path) -> Persona:
    """Read and validate a persona file.

    Raises:
        UsageError: there is no such file.
        DataFileError: the file is no persona; names the file, the field, what was expected and
            what was found.
    """
    if not path.is_file():
        raise UsageError(f"expected a persona file, got {str(path)!r}, which is no file: check the path")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise DataFileError(f"{path}: expected at most {MAX_FILE_BYTES} bytes, got {path.stat().st_size}: shorten it")
    return parse_persona(read_toml(path, dict[str, Any]), str(path))


def parse_persona(data: Mapping[str, Any], source: str) -> Persona:
    """Validate a persona given as nested mappings; ``source`` names it in errors.

    Raises:
        DataFileError: the mappings are no persona.
    """
    persona = parse(Persona, dict(data), source)
    for key, templates in persona.phrases.items():
        for template in templates:
            read_phrase(template, key, f"{source}: phrases")
    return persona


GROUP = "negotiation_env.personas"
PACKS = Path(__file__).parent / "packs"


def builtin_personas() -> list[Path]:
    """Return the paths of the shipped persona files, sorted by name."""
    return sorted(PACKS.glob("*.toml"))


def fitted_personas() -> list[Path]:
    """Return the paths of the shipped personas that are asked for by name alone, and no data is made with."""
    return sorted((PACKS / "fitted").glob("*.toml"))


class BrokenPluginWarning(UserWarning):
    """A plug-in was passed over, since it cannot be imported or what it provides is no persona."""


@cache
def all_personas() -> tuple[Persona, ...]:
    """Return the shipped and the plugged-in personas, sorted by name.

    A plug-in that fails is named in a ``BrokenPluginWarning`` and passed over.

    Raises:
        UsageError: two personas share a name.
    """
    found: dict[str, tuple[Persona, str]] = {}
    for source, personas in (("the shipped packs", _read(builtin_personas() + fitted_personas())), *_plugged_in()):
        for persona in personas:
            if persona.name in found:
                raise UsageError(
                    f"expected personas of different names, got {persona.name!r} from "
                    f"{found[persona.name][1]} and from {source}: rename one"
                )
            found[persona.name] = (persona, source)
    return tuple(found[name][0] for name in sorted(found))


def _read(provided: Iterable[Persona | Path | str]) -> list[Persona]:
    return [item if isinstance(item, Persona) else read_persona(Path(item)) for item in provided]


def _plugged_in() -> Iterable[tuple[str, list[Persona]]]:
    """Yield what each plug-in provides, with its name for errors."""
    for point in entry_points(group=GROUP):
        if point.value == f"{__name__}:{builtin_personas.__name__}":
            continue
        source = f"plug-in {point.name!r} ({point.value})"
        try:
            provided = _read(point.load()())
        except Exception as error:  # noqa: BLE001 - a plug-in's code may raise anything
            warnings.warn(
                f"expected personas from {source} of {GROUP}, got {error_line(error)}: it is passed over; correct or "
                "uninstall that plug-in",
                BrokenPluginWarning,
                stacklevel=3,
            )
            _broken[point.name] = error_line(error)
            continue
        yield source, provided


_broken: dict[str, str] = {}
"""Plug-ins that were passed over, by the name of their entry point, with the cause."""


def load_persona(persona: str | Path | Persona) -> Persona:
    """Return a persona given by name, by path of a TOML file, or as itself.

    Raises:
        UsageError: no persona has that name, or there is no such file.
        DataFileError: the file is no persona.
    """
    if isinstance(persona, Persona):
        return persona
    if isinstance(persona, Path):
        return read_persona(persona)
    if not isinstance(persona, str):
        raise UsageError(f"expected a persona's name, path or Persona object, got {persona!r}: pass one of these")
    by_name = {known.name: known for known in all_personas()}
    if persona in by_name:
        return by_name[persona]
    if persona.endswith(".toml") or "/" in persona or Path(persona).is_file():
        return read_persona(Path(persona))
    broken = "".join(f" Plug-in {name!r} was passed over: {cause}." for name, cause in sorted(_broken.items()))
    raise UsageError(
        f"expected a persona's name or the path of a .toml file, got {persona!r}.{broken}"
        f"{did_you_mean(persona, by_name)}"
    )


def sample_persona(seed: int, personas: Sequence[Persona] | None = None, card: TaskCard | None = None) -> Persona:
    """Draw a persona by weight, among those that fit the card's hotel; among all without a card or where none fits.

    The same 64-bit episode seed always gives the same one.
    """
    known = all_personas() if personas is None else personas
    edges = weight_edges(known, None if card is None else int(house_of(FLOATS, card_numbers(card))))
    position = FLOATS.draw(seed, PERSONA_TURN, 0)
    return known[sum(position >= edge for edge in edges[:-1])]


def weight_edges(personas: Sequence[Persona], house: int | None = None) -> list[float]:
    """Return the cumulative sampling shares, as the dynamics tabulate them for a house; for None as if all fitted.

    Raises:
        UsageError: there is no persona, or every weight is 0.
    """
    weights = [persona.weight for persona in personas]
    if not sum(weights) > 0.0:
        raise UsageError(f"expected a persona with weight > 0, got weights {weights}: add one or raise a weight")
    return share_edges(weights, [house is None or persona.houses()[house] for persona in personas])
