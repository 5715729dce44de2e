"""What the light judge sees of a reply in its case: named features, each there or not, hashed into a fixed width.

Four families: words and pairs of words of the reply ("w"); facts about reply and case, such as acts, marks and lengths,
and how many words it shares with what was said before ("f"); products of these with what the manager did ("x"); and the
manager's last words ("m"). Nothing tells of targets or floors: features that compare with a target are left out.
Chinese is read through its gloss, so that both languages share their words.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from negotiation_env.game.acts import Act, Force, Tactic
from negotiation_env.game.features import FEATURES
from negotiation_env.game.state import unsettled
from negotiation_env.language.gloss import gloss
from negotiation_env.play.protocols import ReplyView, Utterance
from rewards.judge.case_questions import cases, granted, heard_text
from rewards.linear import text_marks

RANGES: Final = {"f": (0, 2048), "x": (2048, 12288), "m": (12288, 16384), "w": (16384, 32768)}
"""The first and the end of the places that each family is hashed into."""
WIDTH: Final = 32768
MOST_WORDS: Final = 150
"""Words of a message that are looked at."""
_OF_TARGET: Final = frozenset(("take_at_target", "take_cut", "take_above_target", "press_at_target", "late"))
_SEEN: Final = tuple((i, name) for i, name in enumerate(FEATURES) if name not in _OF_TARGET)
_TOKEN: Final = re.compile(r"\d[\d,.]*%?|[a-z']+|[\u4e00-\u9fff]|[?!…]")
_FIGURE: Final = re.compile(r"\d[\d,]*(?:\.\d+)?")
_GREYS: Final = frozenset(
    re.findall(
        r"\S+",
        "a an and are as at be been but by can could did do does for from had has have he her him his i i'd i'll i'm "
        "if in is it it's its just me mine my no not of oh ok on one or our out she so some than that that's the their "
        "them then there they this to too up us was we we'll were what when which who will with would yes you you'd "
        "you're your yours",
    )
)
"""Words that say little of what a message is about."""
_STEPS: Final = (1, 2, 3, 4, 6, 8)


def tokens(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case, with "#" for a figure and the signs ? ! … as words."""
    return _tokens(text[:2000])


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[str, ...]:
    found = _TOKEN.findall(gloss(text).lower().replace("’", "'"))
    return tuple(["#" if word[0].isdigit() else word for word in found[:MOST_WORDS]])


def features(view: ReplyView) -> list[str]:
    """Return the features that a reply has in its case, each once."""
    said, heard = tokens(view.text), tokens(heard_text(view))
    found = [f"w {a}" for a in said] + [f"w {a} {b}" for a, b in pairwise(("^", *said, "$"))]
    found += [f"m {word}" for word in heard]
    facts = [*_reply_facts(view, said), *_shared(view, said, heard)]
    case = _case_facts(view)
    found += [f"f {x}" for x in facts] + [f"f case {x}" for x in case]
    crossed = [c for c in case if c.startswith(_CROSSED)]
    found += [f"x {c} {x}" for c in crossed for x in facts]
    return list(dict.fromkeys(found))


_CROSSED: Final = ("upset", "asked", "why", "silent", "first", "act", "open", "quoted", "granted")


def places(names: Iterable[str]) -> list[int]:
    """Return where features lie, each place once."""
    found = []
    for name in names:
        first, end = RANGES[name[0]]
        found.append(first + zlib.crc32(name.encode("utf-8", "replace")) % (end - first))
    return list(dict.fromkeys(found))


def word_places(text: str) -> list[int]:
    """Return where the words and pairs of a sentence by itself lie."""
    said = tokens(text)
    return places([*(f"w {a}" for a in said), *(f"w {a} {b}" for a, b in pairwise(("^", *said, "$")))])


def _count(name: str, value: float) -> list[str]:
    """Return a count as steps that it reaches."""
    return [f"{name}>={step}" for step in _STEPS if value >= step]


def _reply_facts(view: ReplyView, said: Sequence[str]) -> list[str]:
    """Describe what a reply does and looks like."""
    facts = [name for i, name in _SEEN if view.features[i] > 0.0]
    facts += text_marks(view)
    for act in view.acts:
        facts.append(_name(act.kind, act.tactic, act.detail))
        if act.force is not Force.FIRM:
            facts.append(f"{act.kind.name.lower()} {act.force.value}")
        if act.kind is Act.PROMISE:
            facts.append("promise allowed" if act.detail in view.card.promises else "promise not allowed")
    facts += [f"words>={n}" for n in (3, 6, 10, 15, 22, 30, 40, 55, 75, 100) if len(said) >= n]
    facts += _count("figures", said.count("#")) + _count("questions", said.count("?"))
    facts += _count("sentences", sum(view.text.count(sign) for sign in ".!?。！？"))
    facts += _count("commas", 10.0 * (view.text.count(",") + view.text.count("，")) / max(1, len(said)))
    priced = {act.ticket for act in view.acts if act.price is not None and act.ticket is not None}
    left = [k for k in unsettled(view.game) if k not in priced]
    if priced and left:
        facts.append("figures for some rooms only")
        rest = {word for k in left for word in tokens(view.card.tickets[k].room)} - {"room", "view"}
        facts.append("names the rest" if rest & set(said) else "does not name the rest")
    return facts


def _name(kind: Act, tactic: Tactic, detail: str) -> str:
    known = detail if kind not in (Act.PROMISE,) and ":" not in detail else ""
    return " ".join(filter(None, (kind.name.lower(), tactic.name.lower() if tactic else "", known)))


def _shared(view: ReplyView, said: Sequence[str], heard: Sequence[str]) -> list[str]:
    """Describe what a reply shares with what was said before."""
    own = set(said) - _GREYS
    facts = _count("shared", len({w for w in own & set(heard) if len(w) > 2}))
    earlier = {word for u in view.manager_said[:-1] for word in tokens(u.text)} - _GREYS
    facts += _count("shared earlier", len({w for w in (own & earlier) - set(heard) if len(w) > 2}))
    mine = [tokens(u.text) for u in view.agent_said]
    if mine and said:
        pairs = set(pairwise(said))
        again = max(len(pairs & set(pairwise(text))) for text in mine) / max(1, len(pairs))
        facts += [f"again>={share}" for share in (0.1, 0.2, 0.35, 0.5, 0.8) if again >= share]
        again = max(len(own & set(text)) for text in mine) / max(1, len(own))
        facts += [f"words again>={share}" for share in (0.3, 0.5, 0.7, 0.9) if again >= share]
    figures, before = _figures((view.text,)), _figures(u.text for u in view.agent_said)
    theirs, last = _figures(u.text for u in view.manager_said), _figures((heard_text(view),))
    facts += _count("own figures", len(figures & before)) + _count("their figures", len(figures & last))
    facts += _count("their older figures", len((figures & theirs) - last))
    facts += _count("new figures", len(figures - before - theirs))
    return facts


def _figures(texts: Iterable[str]) -> set[str]:
    return {figure.replace(",", "") for text in texts for figure in _FIGURE.findall(text)}


def _case_facts(view: ReplyView) -> list[str]:
    """Describe the case."""
    game, here = view.game, cases(view)
    facts = sorted(str(name) for name in here - {"always", "first-message", "spoken-before"})
    facts += ["first"] if "first-message" in here else [] if "answered" in here else ["silent"]
    facts += ["upset"] if game.upset else []
    facts += ["why"] if game.wants_reason else []
    facts += [f"open {len(unsettled(game))}", *(f"turn>={n}" for n in (1, 2, 3, 5, 7) if game.turn >= n)]
    facts += [f"granted {sum(granted(view, k) for k in unsettled(game))}"] if "granted" in here else []
    facts += ["agreed before"] if any(game.agreed) else []
    facts += _acts_of(view.manager_said[-1]) if view.manager_said else []
    return facts


def _acts_of(said: Utterance) -> list[str]:
    """Return what the manager's last message did, as the game knows it."""
    return [f"act {_name(act.kind, Tactic.NONE, act.detail.partition(':')[0])}" for act in said.acts]
