"""The hotel manager that a language model voices.

The rule-based manager decides and words; the model may only say the same in the persona's voice, and only what reads
back as the decision goes out. A reply that fails is asked for again, with the plain wording as its beginning; if the
retries fail too, the plain wording goes out alone and the cause is recorded as a fault. The engine opens on first use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from negotiation_env.engines import ChatModel, load_engine
from negotiation_env.errors import UsageError
from negotiation_env.game import Move
from negotiation_env.protocols import ManagerReply, Negotiation
from negotiation_env.scenario import Scenario
from negotiation_env.understanding import context_of
from simulators.personas import Persona
from simulators.rule_manager import ManagerSeat, RuleManager
from simulators.voice import VoiceTask, request, verified, voice_seed

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
    """

    name = "llm"

    def __init__(
        self,
        engine: str | ChatModel = "smollm2",
        personas: Sequence[Persona] | None = None,
        retries: int = 2,
        reword: bool | None = None,
    ) -> None:
        if not 0 <= retries <= 8:
            raise UsageError(f"expected retries from 0 to 8, got {retries}: pass a small whole number")
        self._engine = engine
        self._reword = reword
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
            place: _task(negotiation, reply)
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
