"""The hotel manager whose decisions a capable language model makes, within what the code allows.

For every open hotel room the model chooses what to do (offer, accept, hold, refuse), the figure, and the words, as one
JSON object (``SCHEMA``). Code clamps each choice: nothing below the private floor, above the list price or above the
hotel's own offer, no acceptance undercut, no bid answered with less. A clamp is recorded as a fault of the answer. The
model is never told the floor, and a figure below it becomes the rule-based manager's own, which tells nothing of it.
Words that do not mean the clamped decision are asked for again as ``LlmManager`` does, and where the model gives no
decision at all, the rule-based manager's goes out. Whether the hotel answers, and when it hangs up or reads a figure
back, stays the rules'.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from negotiation_env.engines import ChatReply, ChatRequest
from negotiation_env.engines.answers import found_object
from negotiation_env.errors import DataFileError
from negotiation_env.files import Table, parse
from negotiation_env.game.acts import MAX_TICKETS, Act
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.state import Decision, GameState, Move, same_price, unsettled
from negotiation_env.play.protocols import ManagerReply, Negotiation
from simulators.managers.llm_manager import TEMPERATURE, TOP_P, LlmManager, VoiceTask, voice_task
from simulators.managers.rule_manager import ManagerSeat, answer, worded_reply
from simulators.managers.voice_check import candidates, verdicts
from simulators.managers.voice_prompt import SAY, chat

MAX_TOKENS: Final = 320
PLAN: Final = """
You decide yourself what this person would do. Answer with one JSON object and nothing else, such as
{"rooms": [{"room": "Loft", "act": "offer", "price": 2465}], "ask_reason": false, "upset": false, "words": "..."}
- rooms: one entry for each room of the note. act: "offer" (name a new price), "accept" (take their bid), "hold" (stay \
where you are), "refuse" (a last no, for good). price: of an offer, yuan a night as the note counts; else null.
- Give ground slowly, for good reasons only, never above the list price and never up again.
- ask_reason: whether you ask what is in it for you. upset: whether you show that you are upset.
- words: what you say, in one to three short sentences, with exactly these figures and no other."""
"""What a model that decides is told behind the task."""


def _object(**fields: Any) -> dict[str, Any]:
    """Return the JSON schema of an object that has all of some fields and no other."""
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


_ROOM: Final = _object(
    room={"type": "string"},
    act={"type": "string", "enum": ["offer", "accept", "hold", "refuse"]},
    price={"type": ["number", "null"]},
)
_YES_OR_NO: Final = {"type": "boolean"}
SCHEMA: Final = json.dumps(
    _object(rooms={"type": "array", "items": _ROOM}, ask_reason=_YES_OR_NO, upset=_YES_OR_NO, words={"type": "string"})
)
"""The form of a choice, for engines that can see to it."""


class RoomChoice(Table):
    """What the model does about one hotel room; ``price`` is yuan a night in the price type that the note counts in."""

    room: str
    act: Literal["offer", "accept", "hold", "refuse"]
    price: float | None = None


class ManagerChoice(Table):
    """What the model decides and says."""

    rooms: list[RoomChoice]
    ask_reason: bool = False
    upset: bool = False
    words: str = ""


class Clamped(NamedTuple):
    """A choice within the limits, and what had to be changed for that, by cause."""

    decision: Decision
    clamps: tuple[str, ...]


def read_choice(reply: ChatReply) -> ManagerChoice | str:
    """Return the choice in a reply, or the fault why there is none."""
    if reply.fault is not None:
        return f"engine: {reply.fault}"
    data = found_object(reply.text)
    if data is None:
        return "no JSON object"
    try:
        return parse(ManagerChoice, data, "choice")
    except DataFileError as error:
        return f"another form: {str(error).splitlines()[0][:120]}"


def may_decide(decision: Decision, game: GameState) -> bool:
    """Whether an answer is the model's to decide; silence, hanging up, goodbyes and questions back are the rules'."""
    fixed = decision.silent or decision.walk or decision.bye or decision.unclear or any(decision.read_back)
    return not fixed and not game.end and bool(unsettled(game))


def clamped(choice: ManagerChoice, negotiation: Negotiation, rules: Decision) -> Clamped:
    """Return the decision that a choice comes to. ``rules``: what the rule-based manager decides in its place."""
    game, card = negotiation.game, negotiation.card
    chosen = {one.room.strip().lower(): one for one in choice.rooms}
    accepts = any(one.act == "accept" for one in choice.rooms)
    net = bool(game.net) if accepts else bool(rules.net)
    flags = {name: list(getattr(rules, name)) for name in ("accept", "counter", "hold", "refuse")}
    quote, clamps = list(rules.quote), []
    for k in unsettled(game):
        one = chosen.get(card.tickets[k].room.lower())
        if one is None and len(choice.rooms) == len(card.tickets) == 1:
            one = choice.rooms[0]
        act, figure, clamp = _within(one, negotiation, rules, k, net)
        for name, values in flags.items():
            values[k] = name == act
        quote[k] = figure
        if clamp:
            clamps.append(clamp)
    decision = rules._replace(
        accept=_trio(flags["accept"]), counter=_trio(flags["counter"]), hold=_trio(flags["hold"]),
        refuse=_trio(flags["refuse"]), quote=(quote[0], quote[1], quote[2]), net=net,
        ask=choice.ask_reason, upset=choice.upset, objection=0.0,
    )  # fmt: skip
    return Clamped(decision, tuple(clamps))


def _within(
    one: RoomChoice | None, negotiation: Negotiation, rules: Decision, k: int, net: bool
) -> tuple[str, float, str]:
    """Return what a choice about a hotel room comes to: the decision's flag, the standing figure, the clamp or ""."""
    game = negotiation.game
    stands, quoted, bid = game.quote[k], bool(game.quoted[k]), game.bid[k]
    part = 1.0 - game.card.commission[k] if net else 1.0
    if one is None:
        return "hold", stands, "no choice for a room"
    if one.act == "hold" or (one.act == "offer" and one.price is None):
        return "hold", stands, "" if one.act == "hold" else "an offer without a figure"
    if one.act == "refuse":
        return ("refuse", stands, "") if quoted else ("hold", stands, "a last no before any figure")
    if one.act == "accept":
        if bid <= 0.0:
            return "hold", stands, "accepts without a bid"
        figure = math.floor(bid * part + 1e-6) / part
    else:
        figure = math.ceil((one.price or 0.0) - 1e-6) / part
    clamp = ""
    if figure < negotiation.scenario.brief.floors[k] - 1e-6:
        clamp, figure = "below the floor", rules.quote[k]
    elif figure > game.card.selling[k] + 1e-6:
        clamp, figure = "above the list price", game.card.selling[k]
    if quoted and figure > stands and not same_price(figure, stands):
        clamp, figure = clamp or "above its own offer", stands
    if quoted and figure < stands and not same_price(figure, stands) and _accepted(negotiation, k):
        clamp, figure = clamp or "undercuts its acceptance", stands
    if 0.0 < bid <= game.card.selling[k] and figure < bid and not same_price(figure, bid) and not quoted:
        clamp, figure = clamp or "below the bid", math.floor(bid * part + 1e-6) / part
    if quoted and same_price(figure, stands):
        return "hold", stands, clamp
    return "accept" if bid > 0.0 and same_price(figure, bid) else "counter", figure, clamp


def _accepted(negotiation: Negotiation, k: int) -> bool:
    """Whether the hotel has accepted a bid for a ticket that is still open: it goes no lower by itself."""
    return any(
        act.kind in (Act.ACCEPT, Act.CONFIRM) and act.ticket == k
        for said in negotiation.manager_said
        for act in said.acts
    )


def _trio(values: Sequence[bool]) -> tuple[bool, bool, bool]:
    return (bool(values[0]), bool(values[1]), bool(values[2]))


class DecidingManager(LlmManager):
    """Decides and speaks through a capable language model, within the limits; implements ``protocols.Manager``.

    Arguments are ``LlmManager``'s.
    """

    name = "llm-decides"

    def respond(self, negotiations: Sequence[Negotiation], moves: Sequence[Move]) -> list[ManagerReply]:
        """Answer each agent's last message; the model decides in one batch, and its retries in another."""
        replies = [answer(n, m) for n, m in zip(negotiations, moves, strict=True)]
        places = [p for p, n in enumerate(negotiations) if may_decide(replies[p].decision, n.game)]
        choices = self._choices({place: voice_task(negotiations[place], replies[place]) for place in places})
        for place, choice in choices.items():
            replies[place] = self._decided(negotiations[place], replies[place], choice)
        tasks = {p: voice_task(negotiations[p], replies[p]) for p, c in choices.items() if isinstance(c, ManagerChoice)}
        texts = [candidates(choice.words, False) for p in tasks if isinstance(choice := choices[p], ManagerChoice)]
        found = verdicts([task.scene for task in tasks.values()], texts, self.reader) if tasks else []
        given = {p: verdict.text for p, verdict in zip(tasks, found, strict=True) if verdict.text}
        return self.voiced(negotiations, replies, given)

    def _choices(self, tasks: dict[int, VoiceTask]) -> dict[int, ManagerChoice | str]:
        """Return the model's choice for each task, or why there is none."""
        found: dict[int, ManagerChoice | str] = {}
        for attempts in (range(1), range(1, 1 + self.retries)):
            asked = [(p, a) for p in tasks if not isinstance(found.get(p), ManagerChoice) for a in attempts]
            if not asked:
                break
            replies = self.engine.generate([deciding_request(tasks[place], attempt) for place, attempt in asked])
            for (place, _), reply in zip(asked, replies, strict=True):
                if not isinstance(found.get(place), ManagerChoice):
                    choice = read_choice(reply)
                    found[place] = choice if isinstance(choice, ManagerChoice) else str(found.get(place, choice))
        return found

    def _decided(self, negotiation: Negotiation, rules: ManagerReply, choice: ManagerChoice | str) -> ManagerReply:
        """Return the answer that a choice comes to, in plain words; the rules' where there is none."""
        seat: ManagerSeat = negotiation.seat
        if isinstance(choice, str):
            self.count(seat, ["rules", f"rules: {choice.partition(': ')[0]}"])
            return rules._replace(faults=(*rules.faults, f"decides: rules: {choice}"))
        decision, clamps = clamped(choice, negotiation, rules.decision)
        # What the rules would have asked fits their decision: an answer to a question fits any.
        seat.aside = seat.subjects.take_back(seat.aside)
        self.count(seat, ["decided", *(["clamp"] * len(clamps)), *(f"clamp: {clamp}" for clamp in clamps)])
        faults = tuple(f"decides: clamp: {clamp}" for clamp in clamps)
        return worded_reply(negotiation, decision)._replace(faults=faults)


def deciding_request(task: VoiceTask, attempt: int) -> ChatRequest:
    """Return the request for a task's ``attempt``-th choice."""
    scene = task.scene
    net = scene.decision.net
    kind = "net prices" if net else "selling prices"
    newest = task.note.partition(SAY)[0] + f" {_rooms(scene.context.rooms, scene.game, bool(net))} In {kind}.]"
    return ChatRequest(
        messages=chat(task.speaker, task.turns, task.agent, newest, PLAN),
        seed=FLOATS.fork(task.seed, attempt),
        max_tokens=MAX_TOKENS,
        temperature=TEMPERATURE,
        top_p=TOP_P,
        schema=SCHEMA,
    )


def _rooms(rooms: Sequence[str], game: GameState, net: bool) -> str:
    """Return where each open hotel room stands, in figures that both sides know."""
    told = []
    for k in unsettled(game)[:MAX_TICKETS]:
        part = 1.0 - game.card.commission[k] if net else 1.0
        line = f"{rooms[k]}: list price {math.ceil(game.card.selling[k] * part - 1e-6)}"
        if game.quoted[k]:
            line += f", your offer {math.ceil(game.quote[k] * part - 1e-6)}"
        if game.bid[k] > 0.0:
            line += f", their bid {math.ceil(game.bid[k] * part - 1e-6)}"
        told.append(line)
    return "; ".join(told) + "."
