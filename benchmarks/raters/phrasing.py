"""How a reply reads: like one of a good agent, like a bland one, or like a flawed one. Weights of words, fitted.

Single words and pairs of neighbours, and what the reply does with the talk: whether it takes up what the hotel said,
says its own words again, answers a question, how long it is. The weights (``phrasing.npz``) are fitted by ``negotiate
study rater-phrasing`` on the training authors' written replies, whose flaw is not one of fact, and on replies of the
phrase book as bland ones. What no word tells, a wrong date or room, is the compliance rater's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.raters.situation import RatedSituation
from benchmarks.raters.wordlists import RaterReading
from negotiation_env.game.acts import Act
from negotiation_env.game.scenario import TaskCard
from negotiation_env.play.records import TurnRecord

PATH: Final = Path(__file__).with_name("phrasing.npz")
KINDS: Final = ("excellent", "bland", "flawed")
_TOKEN: Final = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:[.,]\d+)*|[^\w\s]|[\u4e00-\u9fff]")
_STOCK_WORDS: Final = (
    "about with that this have from your what will more they them then than been into also just some would could "
    "should their there which these those where while hello thank thanks please rate rates price prices room rooms "
    "offer yuan selling night nights hotel lower king twin suite double queen executive deluxe superior family "
    "standard garden view guest guests okay good morning evening afternoon sorry when only very well much here were "
    "does each both for the and you our are not but can may"
)
_STOCK: Final = frozenset(_STOCK_WORDS.split())
"""Words that do not show whether somebody was heard."""


class Phrasing(NamedTuple):
    """How a reply reads: the chances that it is excellent, bland or flawed, which sum to 1; and the telling words."""

    excellent: float
    bland: float
    flawed: float
    words: tuple[str, ...]
    """What speaks most for a flaw, most telling first."""


class Weights(NamedTuple):
    """What marks weigh: rows by mark, weights [M, 3] and bias [3] in the order of ``KINDS``, and the common words."""

    rows: Mapping[str, int]
    table: NDArray[np.float64]
    bias: NDArray[np.float64]
    common: frozenset[str]


@lru_cache(maxsize=256)
def _names(card: TaskCard) -> frozenset[str]:
    """Return the words of a card's names, in small letters."""
    names = [card.hotel.name, card.hotel.city, card.facts.competitor_name, card.facts.event]
    return frozenset(w for name in names for w in _TOKEN.findall(name.lower())) - {"the"}


def marks(now: RatedSituation, record: TurnRecord, reading: RaterReading, common: frozenset[str]) -> set[str]:
    """Return what a reply is weighed by: its words, pairs of them, and marks of what it does, which begin with "=".

    Names of the card are one word, figures another. ``common``: words that many replies have; the others are those
    that are said to this person only.
    """
    names = _names(now.card)
    tokens = ["^"]
    for token in _TOKEN.findall(reading.plain):
        tokens.append("#" if token[0].isdigit() else "@" if token in names and len(token) > 2 else token)
    tokens.append("$")
    found = {*tokens, *map(" ".join, pairwise(tokens))}
    chinese = sum(t > "\x7f" and t.isalpha() for t in tokens)
    said = words(reading.plain)
    rare = {w for w in said if w not in common}
    heard = words(now.heard.plain)
    moment = f"{'open' if now.number == 1 else 'talk'}{' zh' if 2 * chinese > len(tokens) else ''}"
    found |= {
        f"=rare {min(6, len(rare))} {moment}",
        f"=rare part {min(9, 20 * len(rare) // max(1, len(said)))} {moment}",
    }
    found |= {f"=rare heard {min(3, len(rare & heard))} {moment}", f"=figures {min(4, tokens.count('#'))} {moment}"}
    return found | _context(now, record, reading)


@lru_cache(maxsize=8192)
def words(plain: str) -> frozenset[str]:
    """Return the words of a text in small letters; of Chinese, its pairs of characters."""
    letters = re.findall(r"[a-z]+(?:'[a-z]+)?", plain)
    runs = re.findall(r"[\u4e00-\u9fff]{2,}", plain)
    return frozenset(
        [*(w for w in letters if len(w) > 2), *(run[i : i + 2] for run in runs for i in range(len(run) - 1))]
    )


def common_words(texts: Iterable[str]) -> frozenset[str]:
    """Return the words that at least one in three hundred texts of their script has."""
    counted = Counter(word for text in texts for word in words(text))
    total = {script: sum(n for w, n in counted.items() if w.isascii() is script) for script in (True, False)}
    return frozenset(word for word, count in counted.items() if count >= max(2, total[word.isascii()] // 6000))


def _context(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> set[str]:
    """Return the marks of what a reply does with the talk."""
    ours, heard = content(reading.plain), content(now.heard.plain)
    own = {word for said in now.said for word in content(said.lower())}
    shared = len(ours & heard)
    again = len((ours & own) - heard) / max(1, len(ours))
    acts = {act.kind for act in record.acts}
    taken = any(now.scene.taken_by(act, now.standing) for act in record.acts)
    moment = "open" if now.number == 1 else "silent" if now.silent else "upset" if now.upset else "talk"
    asked = "?" in now.heard.plain or now.asks_why
    found = {
        f"=takes up {min(shared, 4)} {moment}",
        f"=again {min(4, int(5 * again))}",
        f"=length {min(9, len(reading.words) // 8)}",
        f"=asks {min(2, reading.text.count('?'))} {moment}",
        f"=asked {asked} {shared > 0}",
        f"=open {min(3, len(now.open))} {len(acts & {Act.ACCEPT, Act.CONFIRM, Act.COUNTER, Act.PROPOSE})}",
    }
    if now.met:
        found.add(f"=met {taken} {bool(acts & {Act.COUNTER, Act.PROPOSE, Act.ASK, Act.REJECT})}")
    if taken:
        left = max((now.room_left(k) or 0.0 for k in now.open), default=0.0)
        found.add(f"=takes {min(4, int(5 * left))} turn {min(5, now.number)}")
    elif acts & {Act.ACCEPT, Act.CONFIRM}:
        found.add("=takes nothing given")
    if now.number > 2 and shared == 0 and own and again > 0.5:
        found.add("=own talk again")
    return found


@lru_cache(maxsize=8192)
def content(plain: str) -> frozenset[str]:
    """Return the words of a text by which one sees what it is about, cut to six letters."""
    return frozenset(w[:6] for w in re.findall(r"[a-z]{3,}|[\u4e00-\u9fff]{2}|\d{2,}", plain) if w not in _STOCK)


@cache
def weights() -> Weights:
    """Return the fitted weights, read once."""
    with np.load(PATH) as data:
        rows = {str(mark): i for i, mark in enumerate(data["marks"])}
        common = frozenset(map(str, data["common"]))
        return Weights(rows, data["weights"].astype(np.float64), data["bias"].astype(np.float64), common)


def phrasing(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> Phrasing:
    """Return how a reply reads in its situation."""
    rows, table, bias, common = weights()
    known = sorted(mark for mark in marks(now, record, reading, common) if mark in rows)
    places = [rows[mark] for mark in known]
    logits = bias + table[places].sum(axis=0) if places else bias
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    against = table[places, 2] - table[places, 0] if places else np.zeros(0)
    words = tuple(known[i] for i in np.argsort(-against, kind="stable")[:3] if against[i] > 0.2)
    return Phrasing(float(shares[0]), float(shares[1]), float(shares[2]), words)
