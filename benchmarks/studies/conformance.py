"""Does the simulated manager keep its word? ``negotiate study conformance``.

Plays every persona against scripted policies and checks, turn by turn: no figure said or agreed lies below the floor;
every templated utterance reads back as the decision it words and says no other figure; no private value stands in an
observation, ``info`` or a prompt. Of what a language model says, which its manager has checked by a reader of its own,
it counts how much the rule reader takes otherwise. Prints what it counted, with the LLM-worded manager's own counts:
answers at once, on a retry and from the template, by cause, sentences said again, and clamps of ``llm-decides``. Exit
status 1 if anything was violated.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from negotiation_env.engines import ChatModel, ChatReply, ChatRequest, load_engine
from negotiation_env.envs.text import TextLane
from negotiation_env.game.acts import Act, DialogueAct
from negotiation_env.game.scenario import Scenario, sample_scenario, to_selling
from negotiation_env.game.state import Move
from negotiation_env.language.reading import context_of
from negotiation_env.language.rule_reader import understand
from negotiation_env.play.exchange import exchange, open_negotiation
from negotiation_env.play.protocols import Manager, ManagerReply, Negotiation
from negotiation_env.play.registry import load_policy, load_reward
from negotiation_env.play.rollout import agent_view
from simulators.managers.deciding_manager import PLAN, DecidingManager
from simulators.managers.llm_manager import LlmManager, voice_engine
from simulators.managers.rule_manager import RuleManager
from simulators.managers.voice_check import AnswerScene, meaning_fault
from simulators.people.voice_data import few_shot
from simulators.personas import all_personas

POLICIES = ("heuristic", "intent-driven", "random")
HARMLESS = frozenset({Act.GREET, Act.SOOTHE})
"""Acts that a language model's wording may add to a decision."""
TOLERANCE = 1e-6
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+|\d+")


class Tally:
    """What was counted: turns, faults, and violations with their first examples."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.counts: Counter[str] = Counter()
        self.violations: Counter[str] = Counter()
        self.examples: list[str] = []

    def violate(self, kind: str, example: str) -> None:
        """Count a violation."""
        self.violations[kind] += 1
        if len(self.examples) < 10:
            self.examples.append(f"{kind}: {example}")


class CheckedManager:
    """A manager whose answers are checked against their decisions and the private floors before they go out."""

    def __init__(self, inner: Manager, tally: Tally, engine: WatchedEngine | None = None) -> None:
        """Wrap a manager; ``engine`` is the one that words it, if any."""
        self.name, self._inner, self._tally, self._engine = inner.name, inner, tally, engine

    def start(self, scenario: Scenario, persona: object | None = None) -> Any:
        """Seat the inner manager."""
        return self._inner.start(scenario, persona)

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[ManagerReply]:
        """Let the inner manager answer, and check each answer."""
        contexts = [context_of(n.card, n.game, "manager") for n in negotiations]
        replies = self._inner.respond(negotiations, moves)
        for negotiation, context, reply in zip(negotiations, contexts, replies, strict=True):
            self._tally.counts["turns"] += 1
            self._tally.counts["utterances"] += bool(reply.text)
            self._tally.counts["turns with a fault"] += bool(reply.faults)
            if self._engine is None:
                meant = [a for a in understand(reply.text, context).acts if a.kind not in HARMLESS]
                if meant != [a for a in reply.acts if a.kind not in HARMLESS]:
                    self._tally.violate(
                        "utterance does not read back", f"{reply.text!r} means {meant}, not {reply.acts}"
                    )
            elif reply.text:
                scene = AnswerScene(reply.decision, reply.acts, negotiation.card, negotiation.game, context, "")
                otherwise = meaning_fault(scene, [understand(reply.text, context)], reply.text)
                self._tally.counts["taken otherwise by the rule reader"] += bool(otherwise)
            _check_floors(negotiation, reply.acts, self._tally)
        if self._engine is not None:
            _check_prompts(self._engine, negotiations, replies, self._tally)
        return replies


def _check_floors(negotiation: Negotiation, acts: Iterable[DialogueAct], tally: Tally) -> None:
    floors = negotiation.scenario.brief.floors
    for act in acts:
        if act.price is not None and act.ticket is not None:
            price = to_selling(act.price, act.price_type, negotiation.card.tickets[act.ticket].commission)
            if price < floors[act.ticket] - TOLERANCE:
                tally.violate("price below floor said", f"{act}, floor {floors[act.ticket]}")
    for agreed, floor in zip(negotiation.game.agreed, floors, strict=False):
        if 0.0 < agreed < floor - TOLERANCE:
            tally.violate("price below floor agreed", f"{agreed}, floor {floor}")


class WatchedEngine:
    """An engine that keeps the prompts of its last call, so that they can be searched for private values."""

    def __init__(self, inner: ChatModel) -> None:
        """Wrap an engine."""
        self.spec, self._inner = inner.spec, inner
        self.adapter = getattr(inner, "adapter", None)
        self.prompts: list[str] = []

    def generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """Keep the prompts and generate."""
        self.prompts += [" ".join(m["content"] for m in r.messages) + r.begin for r in requests]
        return self._inner.generate(requests)


def _numbers(text: str) -> set[str]:
    """Every whole number in a text, without the commas between its thousands."""
    return {number.replace(",", "") for number in _NUMBER.findall(text)}


def _public_numbers(negotiation: Negotiation, more: Sequence[DialogueAct] = ()) -> set[str]:
    """Every number on the card or said by either side; ``more``: acts that are about to be said.

    An agreed net price is public as a selling price too: the outcome gives it so.
    """
    said = [u for side in (negotiation.agent_said, negotiation.manager_said) for u in side]
    acts = [*more, *(act for u in said for act in u.acts)]
    figures = [f"{act.price:.0f}" for act in acts if act.price is not None]
    figures += [f"{agreed:.2f}" for agreed in negotiation.game.agreed]
    return _numbers(" ".join([negotiation.card.text(), *(u.text for u in said), *figures]))


def _standing_numbers(negotiation: Negotiation) -> set[str]:
    """Every list price, standing figure and bid, as a selling price and as a net price, as they are said."""
    game = negotiation.game
    parts = [(k, part) for k, ticket in enumerate(negotiation.card.tickets) for part in (1.0, 1.0 - ticket.commission)]
    prices = [value[k] * part for k, part in parts for value in (game.card.selling, game.quote, game.bid)]
    return {str(math.ceil(price - 1e-6)) for price in prices}


def _check_shown(negotiation: Negotiation, shown: str, tally: Tally) -> None:
    """A floor may be shown only where the same number is public anyway."""
    public = _public_numbers(negotiation)
    for floor in negotiation.scenario.brief.floors:
        if str(floor) not in public and str(floor) in _numbers(shown):
            tally.violate("private value in observation or info", str(floor))


def _check_prompts(
    engine: WatchedEngine, negotiations: Sequence[Negotiation], replies: Sequence[ManagerReply], tally: Tally
) -> None:
    """Every number in a prompt must be public in one of its negotiations, or stand in the shipped prompt texts."""
    allowed = _numbers(few_shot() + PLAN)
    for negotiation, reply in zip(negotiations, replies, strict=True):
        allowed |= _public_numbers(negotiation, reply.acts) | _standing_numbers(negotiation)
    for persona in all_personas():
        allowed.update(_numbers(f"{persona.title} {persona.description} {persona.voice}"))
    for prompt in engine.prompts:
        for number in _numbers(prompt) - allowed:
            tally.violate("number in a prompt that is not public", f"{number} in {prompt[-200:]!r}")
    tally.counts["prompts"] += len(engine.prompts)
    engine.prompts.clear()


def play(checked: CheckedManager, turns: int, batch: int, tally: Tally) -> None:
    """Play at least ``turns`` turns in batches, all personas in rotation against the scripted policies."""
    personas = [p.name for p in all_personas()]
    reward = load_reward("repo")
    seed = 0
    while tally.counts["turns"] < turns:
        policy = load_policy(POLICIES[seed // batch % len(POLICIES)])
        table = []
        for i in range(seed, seed + batch):
            negotiation = open_negotiation(sample_scenario(i), checked, personas[i % len(personas)])
            table.append((negotiation, TextLane(negotiation, 20)))
        seed += batch
        while table and tally.counts["turns"] < turns:
            live = [n for n, _ in table]
            texts = [reply.text for reply in policy.reply([agent_view(n) for n in live])]
            results = exchange(live, texts, checked, reward)
            for (negotiation, lane), result in zip(table, results, strict=True):
                _, _, _, info = lane.take(result)
                shown = {k: v for k, v in info.items() if k != "reward"} | {
                    "terms": [(t.id, t.message) for t in info["reward"]["terms"]]
                }
                _check_shown(negotiation, f"{lane.observation()} {shown}", tally)
            table = [(n, lane) for n, lane in table if not n.game.end and lane.turn < 20]


def study(
    turns: Annotated[int, typer.Option(help="Rule-managed turns.")] = 100_000,
    llm_turns: Annotated[int, typer.Option(help="LLM-managed turns.")] = 500,
    llm: Annotated[str, typer.Option(help="Engine of the LLM-managed turns.")] = "smollm2",
    decides: Annotated[bool, typer.Option(help="Whether that engine also decides.")] = False,
) -> int:
    """Check that the simulated manager keeps its word; exit status 1 on a violation."""
    table = Table("manager", "count", "value", title="Manager conformance")
    failed = False
    for name, count, batch in (("rules", turns, 256), ("llm", llm_turns, 64)):
        if count < 1:
            continue
        tally, voiced = Tally(), None
        if name == "rules":
            checked = CheckedManager(RuleManager(), tally)
        else:
            engine = WatchedEngine(load_engine(voice_engine(llm)))
            voiced = DecidingManager(engine) if decides else LlmManager(engine)
            checked = CheckedManager(voiced, tally, engine)
        play(checked, count, batch, tally)
        if voiced is not None:
            tally.counts += Counter({f"answers, {how}": n for how, n in voiced.counts.items()})
        for kind, counted in sorted(tally.counts.items()):
            share = f" ({counted / tally.counts['turns']:.1%})" if kind != "turns" else ""
            table.add_row(name, kind, f"{counted:,}{share}")
        table.add_row(name, "violations", str(dict(tally.violations) or 0))
        for example in tally.examples:
            print(example)
        failed = failed or bool(tally.violations)
    Console().print(table)
    return int(failed)
