"""Acts as data and in words, so that people see how a message was understood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypedDict

from negotiation_env.game.acts import Act, DialogueAct, Force, PriceType, Tactic
from negotiation_env.game.scenario import TaskCard
from negotiation_env.game.world import FORBIDDEN_PROMISES, PROMISES
from negotiation_env.language.claims.talk import Claim
from negotiation_env.language.reading import Reading


class ReadingInfo(TypedDict):
    """How a message was understood, as JSON-able data."""

    reader: str
    confidence: float
    """0 to 1."""
    acts: list[dict[str, Any]]
    """One an act: "act" and "force", and of "tactic", "price", "price_type", "ticket", "figure" and "detail" what was
    said."""
    claims: list[dict[str, Any]]
    """Statements about the card and the talk: "kind", "said", "truth" and "true"."""
    text: str
    """The acts in one line, and what is stated wrongly."""


_SAID: Final = {
    (Act.GREET, ""): "greets",
    (Act.INFORM, ""): "gives a reason",
    (Act.INFORM, "objection"): "objects",
    (Act.INFORM, "upset"): "is upset",
    (Act.INFORM, "insult"): "insults",
    (Act.PROPOSE, ""): "proposes",
    (Act.COUNTER, ""): "counters with",
    (Act.ASK, ""): "asks",
    (Act.ASK, "price"): "asks for a price",
    (Act.ASK, "reason"): "asks for the reason",
    (Act.ASK, "figure"): "asks which figure is meant",
    (Act.ASK, "confirm"): "asks to confirm",
    (Act.ACCEPT, ""): "takes",
    (Act.REJECT, ""): "declines",
    (Act.REJECT, "hold"): "stands by",
    (Act.REJECT, "final"): "refuses for good",
    (Act.REJECT, "retract"): "takes back",
    (Act.CONFIRM, ""): "confirms",
    (Act.SOOTHE, ""): "comforts",
    (Act.PROMISE, ""): "promises",
    (Act.CLOSE, ""): "ends the talk",
    (Act.CLOSE, "bye"): "says goodbye",
    (Act.CLOSE, "walk"): "walks away",
    (Act.SILENCE, ""): "says nothing",
    (Act.OFF_TOPIC, ""): "says nothing about the rates",
}
_BARE: Final = {
    "proposes": "makes an offer",
    "counters with": "makes a counter-offer",
    "takes": "agrees",
    "confirms": "confirms",
    "stands by": "stands by the price",
    "takes back": "takes its word back",
}
"""What is said where no figure is."""
_REASONS: Final = {
    Tactic.EXPOSURE: "exposure",
    Tactic.CONVERSION: "conversion",
    Tactic.COMPETITOR: "a competitor",
    Tactic.CALENDAR: "the calendar",
    Tactic.FIT: "fit",
    Tactic.PARTNERSHIP: "partnership",
}
_BINDING: Final = frozenset({Act.ACCEPT, Act.CONFIRM})
"""Acts whose force is told even where it is firm."""


def describe(reading: Reading, card: TaskCard) -> ReadingInfo:
    """Return how a message was understood; ``card`` names the rooms."""
    return {
        "reader": reading.reader,
        "confidence": reading.confidence,
        "acts": [{**act_to_json(act), "force": act.force.value} for act in reading.acts],
        "claims": [{"kind": c.kind, "said": c.said, "truth": c.truth, "true": c.true} for c in reading.claims],
        "text": "; ".join([in_words(reading.acts, card), *map(_untrue, [c for c in reading.claims if not c.true])]),
    }


def _untrue(claim: Claim) -> str:
    truth = (
        ""
        if claim.truth is None
        else f", it is {claim.truth:g}"
        if isinstance(claim.truth, float)
        else f", it is {claim.truth}"
    )
    return f'says what is not so of {claim.kind.replace("-", " ")}: "{claim.said}"{truth}'


def in_words(acts: Sequence[DialogueAct], card: TaskCard) -> str:
    """Return acts in one plain line, such as "takes 309 for the Deluxe King (firm); asks for the reason"."""
    return "; ".join([_act_in_words(act, card) for act in acts])


def _act_in_words(act: DialogueAct, card: TaskCard) -> str:
    kind = act.kind
    said = _SAID.get((kind, act.detail)) or _SAID[kind, ""]
    if kind is Act.INFORM:
        said = _reason(said, act)
    elif kind is Act.PROMISE:
        what = PROMISES.get(act.detail) or FORBIDDEN_PROMISES.get(
            act.detail, act.detail if " " in act.detail else "something else"
        )
        said += f" {what}" if act.detail in card.promises else f" {what} (not allowed)"
    if act.price is not None:
        said += f" {act.price:.6g}"
        if act.price_type is PriceType.NET:
            said += " net"
    else:
        said = _BARE.get(said, said)
    if act.ticket is not None:
        tickets = card.tickets
        said += f" for the {tickets[act.ticket].room}" if act.ticket < len(tickets) else f" for ticket {act.ticket + 1}"
    if act.force is not Force.FIRM or kind in _BINDING:
        said += f" ({act.force.value})"
    return said


def _reason(said: str, act: DialogueAct) -> str:
    """Return a reason or an objection with what it appeals to, and the figure that it cites."""
    if act.tactic is Tactic.PRESSURE and not act.detail:
        return "threatens"
    about = _REASONS.get(act.tactic)
    if about is None:
        return said
    if act.figure is None:
        return f"{said} ({about})"
    return f"{said} ({about}, {act.figure:.6g}{'' if act.tactic is Tactic.COMPETITOR else '%'})"


def act_to_json(act: DialogueAct) -> dict[str, Any]:
    """Return an act as JSON-able data; what is not said is left out, and so is the force of a firm act."""
    out: dict[str, Any] = {"act": act.kind.name}
    if act.tactic is not Tactic.NONE:
        out["tactic"] = act.tactic.name
    if act.price is not None:
        out["price"] = act.price
    if act.ticket is not None:
        out["ticket"] = act.ticket
    if act.figure is not None:
        out["figure"] = act.figure
    if act.price_type is not None:
        out["price_type"] = act.price_type.value
    if act.detail:
        out["detail"] = act.detail
    if act.force is not Force.FIRM:
        out["force"] = act.force.value
    return out
