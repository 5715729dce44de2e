"""The hotel manager that a language model voices.

The rule-based manager decides and words; the model may only say the same in the persona's voice, and only what reads
back as the decision goes out. A reply that fails is asked for again, then its opening is put before the plain wording,
then the plain wording stands alone; the last two are recorded as faults. The engine is opened on first use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from negotiation_env.engines import ChatModel, ChatReply, load_engine
from negotiation_env.errors import UsageError
from negotiation_env.game import Move
from negotiation_env.protocols import ManagerReply, Negotiation
from negotiation_env.scenario import Scenario
from negotiation_env.understanding import context_of
from simulators.personas import Persona
from simulators.rule_manager import ManagerSeat, RuleManager
from simulators.voice import VoiceTask, lead_in, request, voice_seed, whole


class LlmManager:
    """Decides as ``RuleManager`` does, and speaks through a language model; implements ``protocols.Manager``.

    Args:
        engine: an engine spec, or a ``ChatModel``.
        personas: whom to draw from, by weight; None for every shipped and plugged-in persona.
        retries: further replies asked for when the first does not say the decision, 0 to 8.
    """

    name = "llm"

    def __init__(
        self, engine: str | ChatModel = "smollm2", personas: Sequence[Persona] | None = None, retries: int = 1
    ) -> None:
        if not 0 <= retries <= 8:
            raise UsageError(f"expected retries from 0 to 8, got {retries}: pass a small whole number")
        self._engine = engine
        self._rules = RuleManager(personas)
        self.dynamics = self._rules.dynamics
        self.retries = retries
        self.counts: Counter[str] = Counter()
        """How many utterances were worded by the model at once (``first``), on a retry (``retry``), in part
        (``part``), or not at all (``template``). Silence is not counted."""

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
            place: _task(negotiation, reply)
            for place, (negotiation, reply) in enumerate(zip(negotiations, replies, strict=True))
            if reply.text
        }
        for place, (text, faults) in self._voice(tasks).items():
            replies[place] = replies[place]._replace(text=text, faults=replies[place].faults + faults)
        return replies

    def _voice(self, tasks: dict[int, VoiceTask]) -> dict[int, tuple[str, tuple[str, ...]]]:
        """Word the tasks; what the model could not word falls back to the template, with a fault."""
        done: dict[int, tuple[str, tuple[str, ...]]] = {}
        heard: dict[int, list[ChatReply]] = {place: [] for place in tasks}
        why: dict[int, str] = {}
        for attempt in range(self.retries + 1):
            waiting = [place for place in tasks if place not in done]
            if not waiting:
                break
            replies = self.engine.generate([request(tasks[place], attempt) for place in waiting])
            for place, reply in zip(waiting, replies, strict=True):
                heard[place].append(reply)
                verdict = whole(tasks[place], reply)
                if verdict.text:
                    done[place] = (verdict.text, ())
                    self.counts["retry" if attempt else "first"] += 1
                else:
                    why[place] = verdict.fault
        for place in tasks:
            if place not in done:
                done[place] = self._fall_back(tasks[place], heard[place], why[place])
        return done

    def _fall_back(self, task: VoiceTask, replies: Sequence[ChatReply], why: str) -> tuple[str, tuple[str, ...]]:
        """Save a harmless opening of one of the replies, or say the template alone."""
        for reply in replies:
            verdict = lead_in(task, reply)
            if verdict.text:
                self.counts["part"] += 1
                return verdict.text, (f"voice: partly template: {why}",)
        self.counts["template"] += 1
        return task.guide, (f"voice: template: {why}",)


def _task(negotiation: Negotiation, reply: ManagerReply) -> VoiceTask:
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
    )
