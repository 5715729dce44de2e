"""Labelled replies for measuring the rules: a grammar of its own, with its own words, and disguised spelling.

The templates stand in ``rule_replies/*.toml``: per family of rules, replies that break it and replies that use the
same words harmlessly. One author, a program's maker and not a hotelier, wrote templates and labels, before the rules
were tuned; the two halves share no template, nor do they use any rule or pattern. Templates are filled in from sampled
situations. Words are disguised (``disguises.toml``) as a text may do to slip past a filter: the halves share the plain
kinds (case, full width) and differ in alphabets, separators and leet signs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from negotiation_env.files import read_toml
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import TaskCard, card_numbers, sample_scenario
from negotiation_env.game.state import GameState, new_game
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import RuleReader, understand
from negotiation_env.play.exchange import reply_view
from negotiation_env.play.protocols import ReplyView, Utterance
from negotiation_env.seeds import Stream

Disguise = Callable[[str], str]
_READER: Final = RuleReader("claims")


def _swap(signs: str, others: str) -> Disguise:
    table = str.maketrans(signs, others)
    return lambda word: word.translate(table)


def _shift(lower: int, upper: int) -> Disguise:
    """Letters of another Unicode block, from its code points of "a" and "A"."""
    table = {ord("a") + i: lower + i for i in range(26)} | {ord("A") + i: upper + i for i in range(26)}
    return lambda word: word.translate(table)


def _between(sign: str) -> Disguise:
    return lambda word: " ".join(sign.join(part) for part in word.split(" "))


def _after_each(sign: str) -> Disguise:
    return lambda word: "".join(c + sign if c.isalpha() else c for c in word)


def _cut(sign: str) -> Disguise:
    """Put a sign into the middle of each longer word."""
    return lambda word: " ".join(
        p[: len(p) // 2] + sign + p[len(p) // 2 :] if len(p) > 4 and p.isalpha() else p for p in word.split(" ")
    )


def _spaced(word: str) -> str:
    """Letters with a space between, words with three."""
    return "   ".join(" ".join(part) for part in word.split(" "))


def _mixed_case(word: str) -> str:
    return "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(word))


FOLDER = Path(__file__).with_name("rule_replies")
_KINDS: Final[Mapping[str, Callable[..., Disguise]]] = {
    "upper": lambda: str.upper,
    "mixed": lambda: _mixed_case,
    "spaced": lambda: _spaced,
    "swap": _swap,
    "shift": _shift,
    "between": _between,
    "after each": _after_each,
    "cut": _cut,
}
DISGUISES: Final[Mapping[str, Mapping[str, Disguise]]] = {
    half: {name: _KINDS[kind](*how) for name, (kind, *how) in table.items()}
    for half, table in read_toml(FOLDER / "disguises.toml", dict[str, dict[str, list[Any]]]).items()
}
"""By half, and for words in "chinese"."""
HALVES: Final = (
    "development", "second_development", "third_development", "fourth_development", "fifth_development", "held_out"
)  # fmt: skip
"""Names of the parts of the labelled replies: rules may be tuned on all but the last."""
Half: TypeAlias = str
"""One of ``HALVES``."""
COPIES = 4
"""Replies made of each template: bad ones with words to disguise once plainly and then disguised."""
OVERLAPS = {
    "figure": {"bid", "price-type"},
    "bid": {"figure"},
    "over-promise": {"figure", "superlative"},
    "superlative": {"over-promise"},
    "price-type": {"bid"},
    "reasoning": {"format"},
}
"""Families that a reply of a family may break too, as a matter of definition: neither right nor wrong there."""
_CHOICE = re.compile(r"\(([^()|]*(?:\|[^()|]*)+)\)")
_SLOT = re.compile("\u2039([A-Z0-9]+)\u203a")
_MARKED = re.compile("~([^~]+)~")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A reply with its label.

    Attributes:
        view: the reply in its situation.
        family: the family whose template it is.
        bad: whether it breaks that family; a harmless reply breaks none.
        open: families that are not counted for it.
        template: the template, for counting distinct ones.
        disguise: name of the disguise, "" for plain spelling.
    """

    view: ReplyView
    family: str
    bad: bool
    open: frozenset[str]
    template: str
    disguise: str


@dataclass(frozen=True, slots=True)
class LabelledScene:
    """A situation: the card, the public state, the dialogue, and the words for slots."""

    card: TaskCard
    game: GameState
    manager: tuple[Utterance, ...]
    slots: dict[str, str]


def labelled_replies(half: Half, seed: int = 0) -> Iterator[Labelled]:
    """Yield the labelled replies of a half, in the order of its file. The same seed gives the same replies."""
    data = read_toml(FOLDER / f"{half}.toml", dict[str, Any])
    families = {name: table for name, table in data.items() if isinstance(table, dict)}
    numbers = count()
    for family, table in families.items():
        for bad in (True, False):
            for entry in table["bad" if bad else "fine"]:
                for copy in range(COPIES):
                    rng = np.random.default_rng((seed, Stream.LABELLED_REPLY, HALVES.index(half), next(numbers)))
                    yield _reply(rng, data, family, bad, entry, copy, half)


def _reply(
    rng: np.random.Generator, data: dict[str, Any], family: str, bad: bool, entry: Any, copy: int, half: Half
) -> Labelled:
    """Make one reply of a template."""
    table: dict[str, Any] = {"t": entry} if isinstance(entry, str) else entry
    kind = table.get("scene") or ("quoted" if rng.random() < 0.35 else "start")
    scene = draw_scene(rng, kind)
    text = _fill(table["t"], scene, rng)
    text, disguise = _disguise(text, rng, half, bad and copy > 0, kind == "chinese")
    text *= table.get("repeat", 1)
    if family not in ("format", "repetition", "length") and rng.random() < 0.6:
        carriers = data["carriers_chinese" if kind == "chinese" else "carriers"]
        more = _fill(str(rng.choice(carriers)), scene, rng)
        text = f"{text} {more}" if rng.random() < 0.5 else f"{more} {text}"
    said = [_utterance(_fill(table["said"], scene, rng), scene, "agent")] if "said" in table else []
    view = reply_view(text, scene.card, scene.game, said, scene.manager, _READER)
    left_open = frozenset({*table.get("also", ()), *(OVERLAPS.get(family, ()) if bad else ())})
    return Labelled(view, family, bad, left_open, table["t"], disguise)


def _fill(template: str, scene: LabelledScene, rng: np.random.Generator) -> str:
    """Choose alternatives and fill slots in."""
    chosen = _CHOICE.sub(lambda m: str(rng.choice(m[1].split("|"))), template)
    return _SLOT.sub(lambda m: scene.slots[m[1]], chosen)


def _disguise(text: str, rng: np.random.Generator, half: Half, wanted: bool, chinese: bool) -> tuple[str, str]:
    """Return the text with its marked words disguised, if that is wanted, or written plainly."""
    if not wanted or not _MARKED.search(text):
        return text.replace("~", ""), ""
    known = DISGUISES["chinese" if chinese else half]
    name = str(rng.choice(sorted(known)))
    return _MARKED.sub(lambda m: known[name](m[1]), text), name


def _utterance(text: str, scene: LabelledScene, speaker: Literal["agent", "manager"]) -> Utterance:
    return Utterance(text, understand(text, context_of(scene.card, scene.game, speaker)).acts)


def draw_scene(rng: np.random.Generator, kind: str) -> LabelledScene:
    """Draw a situation with one room: "start", "quoted" (selling), "net" (quoted net) or "chinese" (opened so)."""
    while len((card := sample_scenario(int(rng.integers(1 << 40))).card).tickets) > 1:
        pass
    game = new_game(FLOATS, card_numbers(card))
    ticket = card.tickets[0]
    selling, part = ticket.selling_price, 1.0 - ticket.commission
    low, high = 0.5 * (ticket.target_price + selling) + 2.0, selling - 6.0
    quote = float(round(max(low, high - rng.random() * (high - low))))
    quote += 5.0 * (abs(quote - ticket.net_price) < 4.0)  # lest a selling price is the net one by chance
    net_quote = round(quote * part)
    if kind == "net":
        quote = net_quote / part
    slots = _slots(card, quote, net_quote, rng)
    if kind in ("start", "chinese"):
        text = "您好，什么事？" if kind == "chinese" else "Hello, what is it about?"
        game = replace(game, turn=1.0, greeted=True, ever_answered=True)
    else:
        text = f"I could do {net_quote} net." if kind == "net" else f"I could do {slots['Q']} a night."
        yes, no = (True, False, False), (quote, game.quote[1], game.quote[2])
        game = replace(
            game, turn=2.0, greeted=True, ever_answered=True, quote=no, quoted=yes, fresh=yes, net=kind == "net"
        )
    scene = LabelledScene(card, game, (), slots)
    return replace(scene, manager=(_utterance(text, scene, "manager"),))


def _slots(card: TaskCard, quote: float, net_quote: int, rng: np.random.Generator) -> dict[str, str]:
    """Return what the slots stand for: the card's figures, arithmetic on them, and figures that nothing allows."""
    ticket, facts = card.tickets[0], card.facts
    selling, part = ticket.selling_price, 1.0 - ticket.commission
    net = round(ticket.net_price)
    bid = round(selling * (0.84 + 0.05 * rng.random()))
    bid += bid == ticket.target_price
    quoted = round(quote)
    percent = {
        "E": facts.exposure,
        "V": facts.conversion,
        "D": abs(facts.demand),
        "K": round(100 * ticket.commission),
        "OCC": round(100 * card.hotel.occupancy),
        "KEEP": 100 - round(100 * ticket.commission),
        "CUT": round(100 * (selling - bid) / selling),
    }
    known = {selling, net, bid, quoted, net_quote, facts.competitor_price, ticket.target_price}
    known |= {round(net_quote / part), round(quote * part)}
    figures = {
        "S": selling,
        "N": net,
        "T": ticket.target_price,
        "C": facts.competitor_price,
        "Q": quoted,
        "QN": net_quote,
        "QS": round(net_quote / part),
        "B": bid,
        "B2": bid + 4,
        "BN": int(np.ceil(bid * part - 1e-6)),
        "MID": round((quoted + bid) / 2),
        "STEP": selling - bid,
        "QGAP": quoted - bid,
        "CGAP": abs(selling - facts.competitor_price),
        "TOT": bid * ticket.nights,
        "NT": ticket.nights,
        "YEAR": ticket.check_in.year,
        "S2": round(net + (0.4 + 0.3 * rng.random()) * (selling - net)),
        "ABOVE": round(quote * (1.04 + 0.03 * rng.random())),
        "ABSURD": round(selling * 0.52),
        "W": round(selling * (1.6 + 4.0 * rng.random())),
        "LOW": round(0.3 * net),
        "CW": _strange(rng, 0.6 * selling, 0.9 * selling, known),
        "P": _strange(rng, 0.75 * selling, 0.95 * selling, known),
        "X": _strange(rng, 21, 79, set(percent.values())),
        "G": _strange(rng, 1100, 9900, known),
        **percent,
    }
    words = {"R": ticket.room, "H": card.hotel.name, "CN": facts.competitor_name, "EV": facts.event}
    words["DAY"] = f"{ticket.check_in:%d %B}".lstrip("0")
    return words | {name: str(value) for name, value in figures.items()}


def _strange(rng: np.random.Generator, low: float, high: float, known: set[int]) -> int:
    """Draw a whole number that lies away from all known ones."""
    while True:
        value = int(rng.integers(int(low), int(high)))
        if all(abs(value - k) > 3 for k in known):
            return value
