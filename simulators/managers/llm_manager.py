"""The hotel manager that a language model voices.

The rule-based manager decides and words the answer; the model says it as that person would, hearing the agent's
message (``voice_prompt``). Only what means the decision goes out (``voice_check``). Replies that fail are asked for
again, all retries at once; if they fail too, the plain wording goes out and the cause is recorded as a fault. A
sentence that this hotel has said before is passed over where another reply will do. The engine opens on first use.

"smollm2" speaks through the shipped voice adapter where there is one; "hf:FOLDER" through one of your own
(``negotiate train voice``). An engine without an adapter gets the same prompt with examples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from negotiation_env.engines import ChatModel, ChatReply, ChatRequest, load_engine
from negotiation_env.engines.chat_model import adapted
from negotiation_env.engines.specs import join_spec, split_spec
from negotiation_env.errors import UsageError
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import Scenario
from negotiation_env.game.state import Move
from negotiation_env.language.encoder_reader import encoder_installed
from negotiation_env.language.reading import Reader, context_of
from negotiation_env.play.protocols import ManagerReply, Negotiation
from negotiation_env.play.registry import load_reader
from negotiation_env.seeds import VOICE_LABEL
from simulators.concerns import concern
from simulators.managers.rule_manager import ManagerSeat, RuleManager, answer, remember
from simulators.managers.voice_check import (
    AnswerScene,
    candidates,
    reworded_fault,
    same_sentence,
    sentences_of,
    verdicts,
)
from simulators.managers.voice_prompt import Speaker, SpokenTurn, chat, concern_told, mood_word, note
from simulators.people.voice_data import few_shot
from simulators.personas import Persona

SHIPPED: Final = Path(__file__).parents[1] / "artifacts" / "voice-small"
"""Where the voice adapter of the embedded SmolLM2 ships, if one does."""
MAX_TOKENS: Final = 96
TEMPERATURE: Final = 0.35
TOP_P: Final = 0.95
STOPS: Final = ("\n",)


@dataclass(slots=True)
class VoicedSeat(ManagerSeat):
    """The seat of a manager that a model voices."""

    counts: Counter[str] = field(default_factory=Counter)
    """What became of its answers; see ``LlmManager.counts``."""


class VoiceTask(NamedTuple):
    """One answer to word."""

    speaker: Speaker
    turns: tuple[SpokenTurn, ...]
    agent: str
    note: str
    scene: AnswerScene
    plain: str
    """The answer's plain wording, which the note holds and which goes out if the model's does not."""
    said: frozenset[str]
    """Sentences that the hotel has said before; see ``same_sentence``."""
    seed: int
    """Seed of this answer's requests."""


class Spoken(NamedTuple):
    """How an answer came about."""

    text: str
    how: str
    """"first" by the model at once, "retry" by it on another try, "template" from the phrase book."""
    fault: str = ""
    repeats: bool = False
    """Whether the model says a sentence of the hotel's again."""


def voice_seed(episode_seed: int, turn: int) -> int:
    """Return the seed of an answer's requests, a function of the episode's seed and the turn."""
    return FLOATS.fork(episode_seed, VOICE_LABEL + turn)


def request(task: VoiceTask, attempt: int, examples: str = "") -> ChatRequest:
    """Return the request for a task's ``attempt``-th reply."""
    return ChatRequest(
        messages=chat(task.speaker, task.turns, task.agent, task.note, examples),
        seed=FLOATS.fork(task.seed, attempt),
        max_tokens=MAX_TOKENS,
        temperature=TEMPERATURE,
        top_p=TOP_P,
        stop=STOPS,
    )


def speak(engine: ChatModel, tasks: Sequence[VoiceTask], reader: Reader, retries: int) -> list[Spoken]:
    """Word tasks, in order; what the model could not word is the plain wording, with a fault.

    All retries of an answer are asked for at once, and the first good one goes out: short replies side by side cost
    little more than one alone, and one after the other they would each wait for the slowest of their batch.
    """
    done: list[Spoken | None] = [None] * len(tasks)
    spare: dict[int, Spoken] = {}
    why = [""] * len(tasks)
    examples = "" if adapted(engine) or not tasks else few_shot()
    for attempts in (range(1), range(1, 1 + retries)):
        asked = [(place, attempt) for place in range(len(tasks)) if done[place] is None for attempt in attempts]
        if not asked:
            break
        replies = engine.generate([request(tasks[place], attempt, examples) for place, attempt in asked])
        texts = [_texts(reply) for reply in replies]
        found = verdicts([tasks[place].scene for place, _ in asked], texts, reader)
        for (place, attempt), reply, verdict in zip(asked, replies, found, strict=True):
            if done[place] is not None:
                continue
            how = "retry" if attempt else "first"
            task = tasks[place]
            fault = verdict.fault if reply.fault is None else f"engine: {reply.fault}"
            if verdict.text and not examples:
                fault = reworded_fault(verdict.text, task.plain, task.agent, task.speaker.who)
            if fault or not verdict.text:
                why[place] = why[place] or fault
            elif repeats(verdict.text, task.said):
                spare.setdefault(place, Spoken(verdict.text, how, repeats=True))
            else:
                done[place] = Spoken(verdict.text, how)
    return [
        one or spare.get(place) or Spoken(tasks[place].plain, "template", f"voice: template: {why[place]}")
        for place, one in enumerate(done)
    ]


def repeats(text: str, said: frozenset[str]) -> bool:
    """Whether a text holds a sentence that was said before."""
    return any(same_sentence(one) in said for one in sentences_of(text))


def counted(spoken: Spoken) -> list[str]:
    """Return what is counted of an answer; see ``LlmManager.counts``."""
    told = [spoken.how, *(["repeated"] if spoken.repeats else [])]
    return [*told, ": ".join(spoken.fault.split(": ")[1:3])] if spoken.fault else told


def _texts(reply: ChatReply) -> list[str]:
    return [] if reply.fault is not None else candidates(reply.text, reply.finish == "length")


def voice_ships() -> bool:
    """Whether a trained voice ships for the embedded SmolLM2."""
    return (SHIPPED / "adapter_config.json").is_file()


def voice_engine(spec: str) -> str:
    """Return the spec of the engine that voices: for the embedded SmolLM2 that of its shipped adapter, if there is one.

    The bare model is "hf:smollm2".
    """
    head, options = split_spec(spec)
    if head != "smollm2" or not voice_ships():
        return spec
    return join_spec(f"hf:{SHIPPED}", options)


def checking_reader() -> Reader:
    """Return the reader that tells what a model said: the encoder where it is installed, else the rules."""
    reader: Reader = load_reader("encoder" if encoder_installed() else "rules")
    return reader


class LlmManager:
    """Decides as ``RuleManager`` does, and speaks through a language model; implements ``protocols.Manager``.

    Args:
        engine: an engine spec, or a ``ChatModel``; see ``voice_engine``.
        personas: whom to draw from, by weight; None for every shipped and plugged-in persona.
        retries: further replies asked for when the first does not say the decision, 0 to 8.
        reader: tells whether the model says what was decided; None: see ``checking_reader``.
    """

    name = "llm"

    def __init__(
        self,
        engine: str | ChatModel = "smollm2",
        personas: Sequence[Persona] | None = None,
        retries: int = 2,
        reader: Reader | None = None,
    ) -> None:
        if not 0 <= retries <= 8:
            raise UsageError(f"expected retries from 0 to 8, got {retries}: pass a small whole number")
        self._engine = engine
        self._reader = reader
        self._rules = RuleManager(personas)
        self.dynamics = self._rules.dynamics
        self.retries = retries
        self.counts: Counter[str] = Counter()
        """Answers by how they came about: by the model at once (``first``), by it on a retry (``retry``), or from the
        template alone (``template``), then also by the cause (``template: CAUSE``). Of those by the model,
        ``repeated`` say a sentence of the same dialogue again. Silence is not counted. Each seat has its own."""

    @property
    def engine(self) -> ChatModel:
        """The language model, opened on first use."""
        if isinstance(self._engine, str):
            self._engine = load_engine(voice_engine(self._engine))
        return self._engine

    @property
    def reader(self) -> Reader:
        """Tells what the model said; opened on first use."""
        if self._reader is None:
            self._reader = checking_reader()
        return self._reader

    def start(self, scenario: Scenario, persona: object | None = None) -> VoicedSeat:
        """Seat a persona; see ``RuleManager.start``."""
        seat = self._rules.start(scenario, persona)
        return VoicedSeat(**{part.name: getattr(seat, part.name) for part in fields(seat)})

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[ManagerReply]:
        """Answer each agent's last message; all answers are worded in one batch per attempt."""
        return self.voiced(negotiations, [answer(n, m) for n, m in zip(negotiations, moves, strict=True)])

    def voiced(
        self,
        negotiations: Sequence[Negotiation],
        replies: Sequence[ManagerReply],
        given: Mapping[int, str] = MappingProxyType({}),
    ) -> list[ManagerReply]:
        """Return decided answers in the model's words; silence stays silence. Seats keep counts and what is shown.

        ``given``: by place, words of the model's that may go out, so that none are asked for.
        """
        tasks = {p: voice_task(negotiations[p], reply) for p, reply in enumerate(replies) if reply.text}
        asked = [place for place in tasks if place not in given]
        worded = speak(self.engine, [tasks[p] for p in asked], self.reader, self.retries) if asked else []
        spoken = dict(zip(asked, worded, strict=True)) | {
            place: Spoken(text, "first", repeats=repeats(text, tasks[place].said)) for place, text in given.items()
        }
        found = []
        for place, (negotiation, reply) in enumerate(zip(negotiations, replies, strict=True)):
            one = spoken.get(place)
            if one is not None:
                self.count(negotiation.seat, counted(one))
                reply = reply._replace(text=one.text, faults=(*reply.faults, *filter(None, (one.fault,))))
            remember(negotiation, reply.text)
            found.append(reply)
        return found

    def count(self, seat: ManagerSeat, told: Sequence[str]) -> None:
        """Count what became of an answer, here and in its seat."""
        self.counts.update(told)
        if isinstance(seat, VoicedSeat):
            seat.counts.update(told)


def speaker_of(persona: Persona, scenario: Scenario) -> Speaker:
    """Return who a persona is in a scenario, as the prompt tells it."""
    return Speaker(f"the {persona.title}. {persona.description}", persona.voice, scenario.card.hotel)


def voice_task(negotiation: Negotiation, reply: ManagerReply) -> VoiceTask:
    """Return what is needed to word an answer; ``reply`` holds its plain wording."""
    seat: ManagerSeat = negotiation.seat
    scenario, game = negotiation.scenario, negotiation.game
    said = [one.text for one in negotiation.agent_said]
    answers = [one.text for one in negotiation.manager_said]
    turns = tuple(map(SpokenTurn, said, answers))
    heard = said[len(answers)] if len(said) > len(answers) else ""
    context = context_of(scenario.card, game, "manager", heard)
    weighs = seat.remark is not None or seat.memory.shown
    told = concern_told(concern(seat.concern), scenario.seed) if weighs else ""
    return VoiceTask(
        speaker=speaker_of(seat.persona, scenario),
        turns=turns,
        agent=heard,
        note=note(mood_word(float(seat.state.mood)), told, reply.text),
        scene=AnswerScene(
            reply.decision, reply.acts, scenario.card, game, context, heard, tuple(said + answers), seat.aside.text
        ),
        plain=reply.text,
        said=frozenset(same_sentence(one) for text in answers for one in sentences_of(text)) - {""},
        seed=voice_seed(scenario.seed, int(game.turn)),
    )
