"""Whether what a language model said may go out as the manager's answer.

It must mean what was decided: the same figures for the same rooms, no agreement, refusal or goodbye that was not
decided, none left out. A reader tells what it means, and the rule reader listens too: neither may hear more than was
decided. Figures, rooms, roles and promises are looked for without them. Words about what the agent said are free. A
fault names its cause before ": ", so that faults can be counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from negotiation_env.game import world
from negotiation_env.game.acts import DialogueAct
from negotiation_env.game.moves import decision_of
from negotiation_env.game.scenario import TaskCard
from negotiation_env.game.state import Decision, GameState, same_price
from negotiation_env.language.numerals import find_numbers, lower
from negotiation_env.language.reading import Context, Reader, Reading
from negotiation_env.language.rule_reader import RULES

MOST_WORDS: Final = 75
MOST_SENTENCES: Final = 6
REPEATED_BY_ROOM: Final = 5
"""Runs of three words that may come again for each further room: "505 yuan for the twin, 450 yuan for the suite"."""
LEAST_PRICE: Final = 100
"""Below it a figure is no price: it may be said where the agent, the hotel or the card has named it."""
SMALL_NUMBER: Final = 12
"""Up to it a number may be said of anything, "twelve rooms", but for a measure of money."""
_MONEY: Final = re.compile(r"\s*(?:off\b|less\b|lower\b|cheaper\b|yuan|rmb|cny|¥|块|元)")
_PERCENT: Final = re.compile(r"\s*(?:%|per ?cent)")
_CURRENCY: Final = ("¥", "￥", "rmb", "cny", "$")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])\s+")
_LABEL: Final = re.compile(
    r"\s*(?:the )?(?:hotel )?(?:manager|hotel|assistant|owner|you|me|answer)\s*:\s*", re.IGNORECASE
)
_META: Final = re.compile(
    r"[*#\[\]{}<>|\\_@]|\b(?:language model|AI assistant|as an AI|in brackets|the note|the person below|"
    r"persona|roleplay|role-play|system prompt|instructions?)\b",
    re.IGNORECASE,
)
_AGENT_ROLE: Final = re.compile(
    r"\b(?:your|yours?) (?:hotel|house|property|guesthouse|inn|rooms?|selling price|net price|occupancy)\b|"
    r"\b(?:our|my) (?:platform|app|agency|listing team|partner hotels|partners)\b|"
    r"\b(?:I am|I'm|this is) (?:\w+ )?(?:calling |writing )?from the (?:travel )?(?:platform|agency)\b|"
    r"\bI(?:'m| am) calling (?:about|from)\b",
    re.IGNORECASE,
)
"""The agent's part spoken by the hotel, as small models do when they swap the roles."""
_GIVES: Final = re.compile(
    r"\b(?:for free|free of charge|on the house|complimentary|"
    r"free (?:breakfasts?|upgrades?|nights?|dinners?|shuttle|parking)|"
    r"(?:I|we)(?:'ll| will| can| could)? (?:also )?(?:include|throw in|add|upgrade|guarantee|refund|waive|pay|cover)|"
    r"(?:breakfast|dinner|shuttle|parking) (?:is )?included|guaranteed?|I promise|we promise)\b",
    re.IGNORECASE,
)
"""Something given beyond the rate, or promised."""
_AGREES: Final = re.compile(
    r"(?<!no )(?<!not )(?<!not a )(?<!n't )\b(?:(?:it's|it is|that's|that is|we have|you have|you've got) a deal|"
    r"(?:agreed|deal|(?<!are )(?<!'re )(?<!am )(?<!'m )done|settled|sold|accepted)(?=[.!,]|$))",
    re.IGNORECASE,
)
"""An agreement in so many words; a question or a story that holds one is not asked for often enough to matter."""
_WORD: Final = re.compile(r"[\w']+")
_ASKS: Final = re.compile(
    r"\b(?:why|what|how|where|who|which|and|so|for)\b[^.!]*\?|\bin return\b|\bgive me (?:a|one) reason\b|"
    r"\btell me (?:why|what)\b",
    re.IGNORECASE,
)

_CONTENT: Final = re.compile(r"[a-z][a-z'’]+")
_EMPTY: Final = frozenset(
    _CONTENT.findall(
        """
        about above after again against all also always and another any anything are around because been before
        being below between both but can can't cannot could day did does doing don't done down each every for from
        gets give given gives good great had has have having hello here how i'd i'll i'm i've into isn't it's its
        just know let let's like look made make many may maybe might more morning most much must name near need
        never next nice not nothing now off once one only other our out over per please really right said same say
        see shall she should since some something still such sure take than thank thanks that that's the their them
        then there there's these they they're this those three through time too two under until upon very want was
        way we we'd we'll we're we've well were what what's when where which while who why will with without won't
        would year yes yet you you'd you'll you're you've your yours price prices rate rates yuan selling net night
        nights room rooms figure figures offer offers cost costs list percent deal agree agreed confirm hotel house
        platform
        """
    )
)
"""Words that refer to nothing, and those of prices."""
MOST_NEW: Final = 4
"""Content words of a rewording that neither the plain wording nor the agent's message holds."""
LEAST_KEPT: Final = 0.5
"""Share of the plain wording's content words that a rewording keeps, of ``LEAST_CONTENT`` and more."""
LEAST_CONTENT: Final = 4
ECHO: Final = 6
"""Words in a row that are the agent's and not the plain wording's."""
_CALLED: Final = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Madam|Madame|Uncle|Aunt|Auntie|Granny|Director|Manager|Dear) ([A-Z]\w+)"
)


class AnswerScene(NamedTuple):
    """What an answer is checked against: the decision, and the state of the game in which it is said."""

    decision: Decision
    acts: tuple[DialogueAct, ...]
    """The decision, with the figures as they are to be said."""
    card: TaskCard
    game: GameState
    """Before the decision is written into it; read only."""
    context: Context
    heard: str
    """The agent's message."""
    earlier: tuple[str, ...] = ()
    """What both sides said before it."""
    aside: str = ""
    """What is said beside the decision, in the manager's words and as the note tells it: what it gives was decided."""


class AnswerVerdict(NamedTuple):
    """What became of an answer: the text to say, or "" and the reason why there is none."""

    text: str
    fault: str = ""


def sentences_of(text: str) -> list[str]:
    """Return a text's sentences, each without the space around it."""
    return [part for part in _SENTENCE_END.split(text.strip()) if part.strip()]


def same_sentence(sentence: str) -> str:
    """Return a sentence in the form in which two that say the same words are equal; "" for one under four words."""
    said = _WORD.findall(sentence.lower())
    return " ".join(said) if len(said) > 3 else ""


def content_words(text: str) -> set[str]:
    """Return the words of a text that say what it is about, each as its first six letters."""
    rooms = {word for room in world.ROOM_TYPES for word in room.lower().split()}
    said = _CONTENT.findall(text.lower().replace("’", "'"))
    return {word[:6] for word in said if len(word) > 3 and word not in _EMPTY and word not in rooms}


def reworded_fault(text: str, plain: str, heard: str, who: str) -> str:
    """Return how a text is no rewording of a plain wording, "" if it is one.

    For a small model's words: a larger one may say the same in words of which the plain wording has none.

    Args:
        text: what the model says.
        plain: what it was to say.
        heard: the agent's message.
        who: who answers; calls nobody by that name.
    """
    said, told = (
        {number.value for number in find_numbers(lower(one), digits=True, words=True, chinese=False)
         if number.value >= LEAST_PRICE} for one in (text, plain)
    )  # fmt: skip
    words, meant = content_words(text), content_words(plain)
    kept = len(words & meant) >= LEAST_KEPT * len(meant) or len(meant) < LEAST_CONTENT
    if not told <= said or not kept or ("?" in plain and not ("?" in text or _ASKS.search(text))):
        return "leaves something out"
    if len(words - meant - content_words(heard)) > MOST_NEW:
        return "adds something"
    runs = [{tuple(part[i : i + ECHO]) for i in range(len(part) - ECHO + 1)}
            for part in (_WORD.findall(one.lower()) for one in (text, heard, plain))]  # fmt: skip
    if (runs[0] & runs[1]) - runs[2]:
        return "says the agent's words"
    called = {found[1] for found in _CALLED.finditer(text)}
    return "speaks to itself" if called & set(_WORD.findall(who)) & set(_WORD.findall(heard)) else ""


def candidates(text: str, cut: bool) -> list[str]:
    """Return what of a model's reply could go out, longest first: it without a label, and its first sentences.

    ``cut``: whether the reply ended at its limit, so that its last sentence is half of one.
    """
    text = " ".join(text.split())
    text = _LABEL.sub("", text, count=1) if _LABEL.match(text) else text
    found = sentences_of(text.strip().strip('"“”'))[: MOST_SENTENCES + 1]
    if cut and found and found[-1][-1:] not in ".!?…":
        found = found[:-1]
    return [" ".join(found[:count]).rstrip('"”') for count in range(min(len(found), MOST_SENTENCES), 0, -1)]


def verdicts(scenes: Sequence[AnswerScene], texts: Sequence[Sequence[str]], reader: Reader) -> list[AnswerVerdict]:
    """Return for each scene the first of its texts that may go out, or why its first may not.

    What the reader is to tell is read in one batch per place in the lists.
    """
    done: list[AnswerVerdict | None] = [None] * len(scenes)
    why = ["no words: the model said nothing"] * len(scenes)
    for place in range(max(map(len, texts), default=0)):
        asked = []
        for at, said in enumerate(texts):
            if done[at] is not None or place >= len(said):
                continue
            fault = plain_fault(scenes[at], said[place])
            if not fault:
                asked.append(at)
            elif not place:
                why[at] = fault
        heard = [
            ears.read([texts[at][place] for at in asked], [scenes[at].context for at in asked])
            for ears in ((reader,) if reader.name == RULES.name else (reader, RULES))
        ]
        for at, readings in zip(asked, zip(*heard, strict=True), strict=True):
            fault = meaning_fault(scenes[at], readings, texts[at][place])
            if not fault:
                done[at] = AnswerVerdict(texts[at][place])
            elif not place:
                why[at] = fault
    return [one or AnswerVerdict("", cause) for one, cause in zip(done, why, strict=True)]


def plain_fault(scene: AnswerScene, text: str) -> str:
    """Return why a text may not go out, by its words alone; "" if nothing speaks against it."""
    if not text.isprintable() or _META.search(text):
        return "talk about the task"
    rooms = sum(act.ticket is not None for act in scene.acts)
    if len(text.split()) > MOST_WORDS or _repeated(text) > 1 + REPEATED_BY_ROOM * max(0, rooms - 1):
        return "rambling"
    if _AGENT_ROLE.search(text):
        return "speaks for the other side"
    aside = scene.aside.lower()
    if any(given.group().lower() not in aside for given in _GIVES.finditer(text)):
        return "a promise that was not decided"
    if not agreement_decided(scene) and _AGREES.search(text):
        return "an agreement that was not decided"
    known = {room.lower() for room in scene.context.rooms}
    if any(room.lower() in text.lower() and room.lower() not in known for room in world.ROOM_TYPES):
        return "a room that is not on the table"
    return _figure_fault(scene, text)


def agreement_decided(scene: AnswerScene) -> bool:
    """Whether the decision agrees to something, or something is agreed already, which may be said again."""
    return any((*scene.decision.accept, *scene.decision.confirm)) or any(scene.game.agreed)


def figures(acts: Sequence[DialogueAct]) -> frozenset[float]:
    """Return the figures that a decision names."""
    return frozenset(float(act.price) for act in acts if act.price is not None)


def _figure_fault(scene: AnswerScene, text: str) -> str:
    """Return whether a text has a figure that is neither decided nor known, as a fault; "" if it has none.

    The hotel's own public figures may be said again, in either price type: the list price and what it has offered. Of
    the agent's figures only small ones may, which are no prices.
    """
    own, small = _own_figures(scene), None
    low = lower(text)
    for name in (scene.card.facts.competitor_name, scene.card.hotel.name):  # "Grand Willow" is no thousand
        low = low.replace(lower(name), " " * len(name))
    for number in find_numbers(low, digits=True, words=True, chinese=True):
        value = float(number.value)
        if any(abs(value - figure) < 0.005 for figure in own):
            continue
        money = _MONEY.match(low, number.end) or low[: number.start].rstrip().endswith(_CURRENCY)
        if not money and value <= SMALL_NUMBER and not _PERCENT.match(low, number.end):
            continue
        if not money and value < LEAST_PRICE:
            small = _small_figures(scene) if small is None else small
            if value in small:
                continue
        return "another figure"
    return ""


def _own_figures(scene: AnswerScene) -> set[float]:
    """Return what the decision names, and what the hotel has named before, as selling and as net prices."""
    found = set(figures(scene.acts))
    for k, ticket in enumerate(scene.card.tickets):
        part = 1.0 - ticket.commission
        for selling in (float(ticket.selling_price), scene.game.quote[k], scene.decision.quote[k]):
            for price in (selling, selling * part):
                found |= {round(price, 2), float(math.floor(price + 1e-6)), float(math.ceil(price - 1e-6))}
    return found


def _small_figures(scene: AnswerScene) -> set[float]:
    """Return the figures below ``LEAST_PRICE`` that the agent, the hotel or the card has named."""
    hotel = scene.card.hotel
    known = [f"{t.nights} {t.check_in.day} {t.check_out.day}" for t in scene.card.tickets]
    said = " ".join((scene.heard, *scene.earlier, *known, f"{100 * hotel.occupancy:.0f}"))
    numbers = find_numbers(lower(said), digits=True, words=True, chinese=True)
    return {float(number.value) for number in numbers if number.value < LEAST_PRICE}


def meaning_fault(scene: AnswerScene, readings: Sequence[Reading], text: str) -> str:
    """Return how what was understood differs from what was decided, "" if it does not.

    What one reading hears beyond the decision is a fault; what is left out is one where no reading hears it.
    """
    found = [_differences(scene, reading, text) for reading in readings]
    beyond = next((fault for added, _ in found if (fault := added)), "")
    missing = "" if any(not left_out for _, left_out in found) else found[0][1]
    return f"another meaning: {beyond or missing}" if beyond or missing else ""


def _differences(scene: AnswerScene, reading: Reading, text: str) -> tuple[str, str]:
    """Return what a reading hears beyond the decision, and what of the decision it does not hear; "" for nothing."""
    meant, game = scene.decision, scene.game
    heard = decision_of(reading.acts, game)
    added, left_out = "", ""
    for k in range(len(scene.card.tickets)):
        added = added or _added(meant, heard, game, k)
        left_out = left_out or _left_out(meant, heard, game, k)
    ends, asks = heard.walk or heard.bye, meant.ask or meant.unclear or meant.wonders
    if ends and not (meant.walk or meant.bye or game.end):
        added = added or "ends the talk"
    if heard.ask and not (asks or any(meant.read_back)):
        added = added or "asks for a reason"
    if meant.walk and not ends:
        left_out = left_out or "the talk is not ended"
    if asks and not (heard.ask or heard.unclear or heard.wonders or _ASKS.search(text) or "?" in text):
        left_out = left_out or "asks nothing"
    return added, left_out


def _figures(meant: Decision, heard: Decision, game: GameState, k: int) -> tuple[float, float | None]:
    """Return a ticket's figure as it was decided, and the one that was heard, None if none was."""
    figure = meant.quote[k] if meant.accept[k] or meant.counter[k] else game.quote[k]
    return figure, heard.quote[k] if heard.accept[k] or heard.counter[k] else None


def _added(meant: Decision, heard: Decision, game: GameState, k: int) -> str:
    """Return what was heard of a ticket beyond the decision, "" if nothing was."""
    figure, said = _figures(meant, heard, game, k)
    if said is not None and not same_price(said, figure):
        return "another figure is offered"
    if heard.refuse[k] and not meant.refuse[k]:
        return "refused for good"
    if heard.retract[k] and not meant.retract[k]:
        return "taken back"
    agrees = bool(heard.accept[k] or heard.confirm[k])
    return "agrees" if agrees and game.open[k] and not (meant.accept[k] or meant.confirm[k]) else ""


def _left_out(meant: Decision, heard: Decision, game: GameState, k: int) -> str:
    """Return what of a ticket's decision was not heard, "" if all was; a hold need not be said."""
    figure, said = _figures(meant, heard, game, k)
    agrees = bool(heard.accept[k] or heard.confirm[k])
    stands = bool(heard.hold[k]) and same_price(figure, game.quote[k])
    if meant.refuse[k] and not heard.refuse[k]:
        return "not refused for good"
    if meant.retract[k] and not heard.retract[k]:
        return "not taken back"
    names = meant.accept[k] or meant.counter[k] or meant.read_back[k]
    if names and said is None and not (agrees or heard.read_back[k] or stands):
        return "the figure is not said"
    return "does not agree" if meant.accept[k] and heard.hold[k] and not agrees and said is None else ""


def _repeated(text: str) -> int:
    """Return how often three words come again; small models repeat themselves when they lose the thread."""
    words = _WORD.findall(text.lower())
    grams = [tuple(words[i : i + 3]) for i in range(len(words) - 2)]
    return len(grams) - len(set(grams))
