"""Words from a language model for a decision that code has made, and the check that they say that decision.

A request shows the model the persona's voice, a few plain sentences said in that voice, and the plain wording of the
decision; it holds nothing private. ``verified`` accepts a reply, or its first sentences, if it reads back as the
decision and says no other number. Knows no engine.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from negotiation_env.acts import Act, DialogueAct
from negotiation_env.engines import ChatMessage, ChatReply, ChatRequest
from negotiation_env.lanes import FLOATS
from negotiation_env.understanding import Context, understand
from simulators.personas import Persona

EXAMPLES_PATH: Final = Path(__file__).parent / "voice_examples.toml"
MAX_TOKENS: Final = 48
MAX_REMARK_TOKENS: Final = 16
REMARK_STOPS: Final = (". ", "! ", "? ", "\n")
"""A remark is one sentence."""
REMARK_STARTS: Final = ("I", "We", "It", "That", "This")
"""First words of remarks, drawn by seed: without one, small models often end right after the plain wording."""
MAX_EXTRA_WORDS: Final = 25
"""Words that an utterance may have beyond its plain wording."""
TEMPERATURE: Final = 0.7
TOP_P: Final = 0.9
VOICE_LABEL: Final = 1 << 17
"""Label under which the seeds of wording are forked from the episode's seed; the turn is added."""
_HARMLESS: Final = frozenset({Act.GREET, Act.SOOTHE, Act.OFF_TOPIC})
_SENTENCE: Final = re.compile(r".+?[.!?](?=\s|$)", re.DOTALL)
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_NUMBER_WORD: Final = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|"
    r"seventy|eighty|ninety|hundred|thousand|dozen|half|double|percent)\b",
    re.IGNORECASE,
)
_META: Final = re.compile(
    r"[*#\[\]{}<>|\\_=$€£@\n]|\b(?:rewrite|rewritten|sentence|voice|tone|mood|language model|AI|assistant|persona|"
    r"ability to|manager'?s message|as follows)\b"
)
_OTHER_SIDE: Final = re.compile(
    r"\byou(?: can|'ll| will| could| would)? (?:offer|give|accept|agree|come down|go|do|stay|confirm|sell)\b",
    re.IGNORECASE,
)
"""The hotel's part of the deal put into the agent's mouth, as small models do when they swap the roles."""
_ROOM_OF_EXAMPLES: Final = re.compile(r",? (?:for|of) the (?:Loft|Corner Room)")
_PRICE_TALK: Final = re.compile(
    r"\b(?:deal|agree\w*|accept\w*|lower\w*|higher|cheap\w*|discount\w*|price\w*|rate|rates|confirm\w*)\b",
    re.IGNORECASE,
)
"""A remark that speaks of the price could be read against the decision, whatever understanding makes of it."""
_NAMES_OF_EXAMPLES: Final = re.compile(r"\b(?:Loft|Corner Room)\b", re.IGNORECASE)


class VoiceTask(NamedTuple):
    """One utterance to word."""

    persona: Persona
    mood: float
    acts: tuple[DialogueAct, ...]
    guide: str
    """The decision's plain wording."""
    context: Context
    seed: int
    """Seed of this utterance's requests."""


def voice_seed(episode_seed: int, turn: int) -> int:
    """Return the seed of an utterance's requests, a function of the episode's seed and the turn."""
    return FLOATS.fork(episode_seed, VOICE_LABEL + turn)


def mood_word(mood: float) -> str:
    """Return a mood in [-1, 1] as a word; the number itself goes into no prompt."""
    if mood < -0.5:
        return "angry"
    if mood < -0.2:
        return "annoyed"
    return "cheerful" if mood > 0.3 else "calm"


def situation(acts: Sequence[DialogueAct]) -> str:
    """Return which kind of examples fits a decision's acts best."""
    kinds = {act.kind: act.detail for act in acts}
    if Act.ACCEPT in kinds or Act.CONFIRM in kinds:
        return "agree"
    if Act.COUNTER in kinds:
        return "counter"
    if Act.REJECT in kinds:
        return "refuse" if kinds[Act.REJECT] == "final" else "hold"
    return "close" if Act.CLOSE in kinds else "ask"


@cache
def examples() -> dict[str, dict[str, list[str]]]:
    """Return the shipped few-shot examples by table: ``sentences`` and each tone's, in the same order.

    A table is a situation's name for sentences reworded, ``remark-`` and that name for sentences with a remark.
    """
    return tomllib.loads(EXAMPLES_PATH.read_text(encoding="utf-8"))


def request(task: VoiceTask, attempt: int, reword: bool) -> ChatRequest:
    """Return the request for a task's ``attempt``-th reply.

    With ``reword`` the first asks for a short decision in the persona's own words. All others begin with the plain
    wording, which the phrase book took from the persona's phrases, and ask for a remark in its voice after it: small
    models lose their way in rewording.
    """
    persona = task.persona
    keep = not reword or attempt > 0 or len(_SENTENCE.findall(task.guide)) > 1
    kind, seed = situation(task.acts), FLOATS.fork(task.seed, attempt)
    start = REMARK_STARTS[int(FLOATS.draw(seed, 0, 0) * len(REMARK_STARTS))]
    system = (
        f"You are the {persona.title}. {persona.description} {persona.voice} You are {mood_word(task.mood)}. "
        "Say each sentence in your own voice. Keep the meaning and every figure."
    )
    messages: list[ChatMessage] = [{"role": "system", "content": system}]
    for plain, said in _shots(task, f"remark-{kind}" if keep else kind):
        messages.append({"role": "user", "content": plain})
        messages.append({"role": "assistant", "content": said})
    messages.append({"role": "user", "content": task.guide})
    return ChatRequest(
        messages=tuple(messages),
        seed=seed,
        max_tokens=MAX_REMARK_TOKENS if keep else MAX_TOKENS,
        temperature=TEMPERATURE,
        top_p=TOP_P,
        stop=REMARK_STOPS if keep else ("\n",),
        begin=f"{task.guide} {start}" if keep else "",
    )


def _shots(task: VoiceTask, table: str) -> list[tuple[str, str]]:
    """Return the examples in the persona's tone, of one figure if the task has no more.

    They name no rooms, so that a persona's tasks of a kind share their prompt's beginning, which engines compute once.
    """
    texts = examples()[table]
    shots = list(zip(texts["sentences"], texts[task.persona.tone], strict=True))
    if len(_NUMBER.findall(task.guide)) < 2:
        shots = [shot for shot in shots if len(_NUMBER.findall(shot[0])) < 2]
    return [(_ROOM_OF_EXAMPLES.sub("", plain), _ROOM_OF_EXAMPLES.sub("", said)) for plain, said in shots]


class Verdict(NamedTuple):
    """What became of a reply: the text to say, or "" and the reason why there is none."""

    text: str
    fault: str = ""


def verified(task: VoiceTask, reply: ChatReply, begin: str = "") -> Verdict:
    """Return the longest run of a reply's first sentences that says the decision and nothing else.

    ``begin`` is what the reply was made to begin with; a text that is no more than that is not the model's.
    """
    if reply.fault is not None:
        return Verdict("", f"engine: {reply.fault}")
    text = " ".join(reply.text.strip().strip('"“”').split())
    goes_on = begin and text.startswith(begin) and len(text) > len(begin)
    if goes_on and reply.finish == "stop" and text[-1:] not in ".!?":
        text += "."  # the stop string took it
    sentences = _SENTENCE.findall(text)[: len(_SENTENCE.findall(task.guide)) + 1]
    fault = "no complete remark" if begin else "no complete sentence"
    for count in range(len(sentences), 0, -1):
        candidate = "".join(sentences[:count]).strip()
        if begin.startswith(candidate):
            break
        why = fault_of(task, candidate)
        if begin and not why and candidate.startswith(task.guide):
            why = _fault_of_remark(task, candidate.removeprefix(task.guide))
        if not why:
            return Verdict(candidate)
        if count == len(sentences):
            fault = why
    return Verdict("", fault)


def fault_of(task: VoiceTask, text: str) -> str:
    """Return why a text may not go out as the task's utterance, "" if it may."""
    if not text.isprintable() or any(hit not in task.guide for hit in _META.findall(text)):
        return "talk about the task"
    if len(text.split()) > len(task.guide.split()) + MAX_EXTRA_WORDS or _repeated(text) > _repeated(task.guide) + 1:
        return "rambling"
    if _NAMES_OF_EXAMPLES.search(text):
        return "a room that is not on the table"
    allowed = set(_NUMBER.findall(task.guide))
    if any(number not in allowed for number in _NUMBER.findall(text)):
        return "another number"
    words = set(_NUMBER_WORD.findall(task.guide.lower()))
    if any(word not in words for word in _NUMBER_WORD.findall(text.lower())):
        return "another number in words"
    if _OTHER_SIDE.search(text) and not _OTHER_SIDE.search(task.guide):
        return "speaks for the other side"
    if not says(understand(text, task.context).acts, task.acts):
        return "another meaning"
    return ""


def _fault_of_remark(task: VoiceTask, remark: str) -> str:
    """Return why a remark may not follow the plain wording, "" if it may: by itself it must mean nothing new."""
    if _NUMBER.search(remark):
        return "a figure in the remark"
    if _PRICE_TALK.search(remark):
        return "price talk in the remark"
    known = {(act.kind, act.tactic, act.detail) for act in task.acts if act.price is None}
    heard = understand(remark, task.context).acts
    if any(act.kind not in _HARMLESS and (act.kind, act.tactic, act.detail) not in known for act in heard):
        return "a remark with a meaning of its own"
    return ""


def says(heard: Sequence[DialogueAct], meant: Sequence[DialogueAct]) -> bool:
    """Whether what was understood is what was decided, greetings and soothing aside."""
    return _core(heard) == _core(meant)


def _core(acts: Sequence[DialogueAct]) -> list[str]:
    """Return acts in an order that does not matter, without harmless ones."""
    return sorted(repr(act) for act in acts if act.kind not in _HARMLESS)


def _repeated(text: str) -> int:
    """Return how often three words come again; small models repeat themselves when they lose the thread."""
    words = re.findall(r"[\w']+", text.lower())
    grams = [tuple(words[i : i + 3]) for i in range(len(words) - 2)]
    return len(grams) - len(set(grams))
