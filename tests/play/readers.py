"""Readers for tests: each reads as the rules do, but for one thing."""

from __future__ import annotations

from collections.abc import Sequence

from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.language.reading import Context, Reading
from negotiation_env.language.rule_reader import RULES

GREETING = DialogueAct(Act.GREET)


class HearsGreetings:
    """Takes every message for a greeting, and is not sure of it."""

    name = "greetings"
    version = 7

    def read(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[Reading]:
        return [
            reading._replace(acts=(GREETING,), confidence=0.25, reader=self.name)
            for reading in RULES.read(texts, contexts)
        ]


class SpoiledReader:
    """Reads as the rules do, with a fault to be found."""

    name = "spoiled"

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def read(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[Reading]:
        readings = [self._spoil(reading) for reading in RULES.read(texts, contexts)]
        if self.fault == "count":
            return readings[1:]
        if self.fault == "batch" and len(texts) > 1:
            return [reading._replace(acts=(GREETING,)) for reading in readings]
        return readings

    def _spoil(self, reading: Reading) -> Reading:
        act = {
            "ticket": DialogueAct(Act.ACCEPT, ticket=3),
            "price": DialogueAct(Act.PROPOSE, price=-1.0),
            "type": DialogueAct(Act.PROPOSE, price=300.0),
            "silence": GREETING,
        }.get(self.fault)
        acts = {"acts": ()}.get(self.fault, reading.acts) if act is None else (act,)
        confidence = 2.0 if self.fault == "confidence" else 1.0
        name = "rules" if self.fault == "name" else self.name
        return reading._replace(acts=acts, confidence=confidence, reader=name)
