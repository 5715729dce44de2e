"""The hotel manager that a language model voices.

The rule-based manager decides and words; the model may only say the same in the persona's voice, and only what reads
back as the decision and says no other number goes out (``verified``). A request shows the persona's voice, a few plain
sentences said in it, and the plain wording of the decision; nothing private. A reply that fails is asked for again,
with the plain wording as its beginning; if the retries fail too, the plain wording goes out alone and the cause is
recorded as a fault. The engine opens on first use.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from negotiation_env.engines import ChatMessage, ChatModel, ChatReply, ChatRequest, load_engine
from negotiation_env.errors import UsageError
from negotiation_env.files import read_toml
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import Scenario
from negotiation_env.game.state import Move
from negotiation_env.language.reading import Context, Reader, context_of
from negotiation_env.language.rule_reader import RULES
from negotiation_env.play.protocols import ManagerReply, Negotiation
from negotiation_env.seeds import VOICE_LABEL
from simulators.managers.rule_manager import ManagerSeat, RuleManager
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
    reader: Reader = RULES
    """Understands what the model says."""

    def meaning(self, text: str) -> tuple[DialogueAct, ...]:
        """Return what a text says in the task's situation."""
        (reading,) = self.reader.read([text], [self.context])
        return reading.acts


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
    return read_toml(EXAMPLES_PATH, dict[str, dict[str, list[str]]])


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


class VoiceCheck(NamedTuple):
    """What became of a reply: the text to say, or "" and the reason why there is none."""

    text: str
    fault: str = ""


def verified(task: VoiceTask, reply: ChatReply, begin: str = "") -> VoiceCheck:
    """Return the longest run of a reply's first sentences that says the decision and nothing else.

    ``begin`` is what the reply was made to begin with; a text that is no more than that is not the model's.
    """
    if reply.fault is not None:
        return VoiceCheck("", f"engine: {reply.fault}")
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
            return VoiceCheck(candidate)
        if count == len(sentences):
            fault = why
    return VoiceCheck("", fault)


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
    if not says(task.meaning(text), task.acts):
        return "another meaning"
    return ""


def _fault_of_remark(task: VoiceTask, remark: str) -> str:
    """Return why a remark may not follow the plain wording, "" if it may: by itself it must mean nothing new."""
    if _NUMBER.search(remark):
        return "a figure in the remark"
    if _PRICE_TALK.search(remark):
        return "price talk in the remark"
    known = {(act.kind, act.tactic, act.detail) for act in task.acts if act.price is None}
    # Against figures for everything: nothing that could be an agreement goes out.
    heard = task._replace(context=task.context._replace(bids=task.context.selling, heard="")).meaning(remark)
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


SMALL_ENGINE: Final = "smollm2"
"""Spec of the engine that is too small to reword."""


class LlmManager:
    """Decides as ``RuleManager`` does, and speaks through a language model; implements ``protocols.Manager``.

    Args:
        engine: an engine spec, or a ``ChatModel``.
        personas: whom to draw from, by weight; None for every shipped and plugged-in persona.
        retries: further replies asked for when the first does not say the decision, 0 to 8.
        reword: whether the model words the decision itself, or adds a remark to its plain wording; None: it words it
            unless it is the embedded SmolLM2, whose rewording says another thing four times out of five.
        reader: tells whether the model says what was decided.
    """

    name = "llm"

    def __init__(
        self,
        engine: str | ChatModel = "smollm2",
        personas: Sequence[Persona] | None = None,
        retries: int = 2,
        reword: bool | None = None,
        reader: Reader = RULES,
    ) -> None:
        if not 0 <= retries <= 8:
            raise UsageError(f"expected retries from 0 to 8, got {retries}: pass a small whole number")
        self._engine = engine
        self._reword = reword
        self._reader = reader
        self._rules = RuleManager(personas)
        self.dynamics = self._rules.dynamics
        self.retries = retries
        self.counts: Counter[str] = Counter()
        """Utterances by how they came about: by the model at once (``first``), by it on a retry (``retry``), or from
        the template alone, with a fault (``template``). Of those by the model, ``remark`` kept the template and added
        a remark, and ``verbatim`` are no more than the template. Silence is not counted."""

    @property
    def engine(self) -> ChatModel:
        """The language model, opened on first use."""
        if isinstance(self._engine, str):
            self._engine = load_engine(self._engine)
        return self._engine

    def start(self, scenario: Scenario, persona: object | None = None) -> ManagerSeat:
        """Seat a persona; see ``RuleManager.start``."""
        return self._rules.start(scenario, persona)

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[ManagerReply]:
        """Answer each agent's last message; all utterances are worded in one batch per attempt."""
        replies = self._rules.respond(negotiations, moves)
        tasks = {
            place: _task(negotiation, reply, self._reader)
            for place, (negotiation, reply) in enumerate(zip(negotiations, replies, strict=True))
            if reply.text
        }
        for place, (text, faults) in self._voice(tasks).items():
            replies[place] = replies[place]._replace(text=text, faults=replies[place].faults + faults)
        return replies

    def _voice(self, tasks: dict[int, VoiceTask]) -> dict[int, tuple[str, tuple[str, ...]]]:
        """Word the tasks; what the model could not word falls back to the template, with a fault.

        All retries of an utterance are asked for at once, and the first good one goes out: short replies side by side
        cost little more than one alone, and one after the other they would each wait for the slowest of their batch.
        """
        done: dict[int, tuple[str, tuple[str, ...]]] = {}
        why = dict.fromkeys(tasks, "")
        for attempts in (range(1), range(1, 1 + self.retries)):
            asked = [(place, attempt) for place in tasks if place not in done for attempt in attempts]
            if not asked:
                break
            reword = self.engine.spec != SMALL_ENGINE if self._reword is None else self._reword
            requests = [request(tasks[place], attempt, reword) for place, attempt in asked]
            replies = self.engine.generate(requests)
            for (place, attempt), sent, reply in zip(asked, requests, replies, strict=True):
                if place in done:
                    continue
                verdict = verified(tasks[place], reply, sent.begin)
                if not verdict.text:
                    why[place] = verdict.fault
                    continue
                done[place] = (verdict.text, ())
                self.counts["retry" if attempt else "first"] += 1
                self.counts["verbatim"] += verdict.text == tasks[place].guide
                self.counts["remark"] += bool(sent.begin)
        for place, task in tasks.items():
            if place not in done:
                done[place] = (task.guide, (f"voice: template: {why[place]}",))
                self.counts["template"] += 1
        return done


def _task(negotiation: Negotiation, reply: ManagerReply, reader: Reader) -> VoiceTask:
    """Return what is needed to word an answer; ``reply`` holds its plain wording."""
    seat: ManagerSeat = negotiation.seat
    scenario, game = negotiation.scenario, negotiation.game
    return VoiceTask(
        persona=seat.persona,
        mood=float(seat.state.mood),
        acts=reply.acts,
        guide=reply.text,
        context=context_of(scenario.card, game, "manager"),
        seed=voice_seed(scenario.seed, int(game.turn)),
        reader=reader,
    )
