"""What a reader is to find in a message, as labels: from annotated acts to roles of figures, stands and topics.

The labels of a message follow its ``EncoderInput``: per (figure, ticket) a role, a scale and the price type, per ticket
how firmly the other side's figure is taken and where the speaker stands, and the message's topics. A figure in an act
is aligned with a figure of the text: as said, as a reduction, a percentage, a rise, a total of the stay or the middle.
``MASKED`` labels are not trained on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from negotiation_env.files import read_lines
from negotiation_env.game import world
from negotiation_env.language.encoder_heads import FORCES, ROLES, STANDS, TOPICS
from negotiation_env.language.encoder_input import SCALES, EncoderInput, Mention, encoder_input
from negotiation_env.language.reading import Context
from negotiation_env.language.rule_reader import understand
from simulators.people.written_dialogues import WrittenDialogue
from simulators.people.written_messages import written_messages

MASKED: Final = -100
DRILLS: Final = Path(__file__).with_name("drills")
Ints = NDArray[np.int64]


class ReadingLabels(NamedTuple):
    """What is to be found; see the module."""

    roles: Ints
    """[mentions, tickets], of ``ROLES``."""
    scales: Ints
    """[mentions, tickets], of ``SCALES``; MASKED where the figure has no role."""
    nets: Ints
    """[mentions, tickets], 1 where the figure is a net price; MASKED where it has no role."""
    takes: Ints
    """[tickets], 0 for not taken, else 1 + position in ``FORCES``."""
    stands: Ints
    """[tickets], of ``STANDS``."""
    topics: NDArray[np.float32]
    """[topics], of ``TOPICS``; MASKED where nobody of that side says such a thing."""


class LabelledMessage(NamedTuple):
    """A message as the encoder sees it, and what is to be found in it."""

    where: str
    seen: EncoderInput
    labels: ReadingLabels


class _DrillPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DrillTicket(_DrillPart):
    """A ticket of a drill; ``list`` is its selling price."""

    room: str
    list: float
    nights: Annotated[int, Field(ge=1)] = 1
    commission: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.15


class ReadingDrill(_DrillPart):
    """One message in a situation of its own, with its acts; see ``drills/README.md``."""

    who: Literal["agent", "manager"]
    tickets: tuple[DrillTicket, ...]
    hotel_said: tuple[float | None, ...]
    agent_said: tuple[float | None, ...]
    heard: str = ""
    text: str
    acts: tuple[str, ...]
    kind: str = ""
    net: bool = False
    may_promise: tuple[str, ...] = ()

    def context(self) -> Context:
        """Return the context in which the message is read."""
        count = len(self.tickets)
        quoted = tuple(figure is not None for figure in self.hotel_said)
        return Context(
            self.who,
            tuple(t.room for t in self.tickets),
            tuple(t.list for t in self.tickets),
            tuple(t.commission for t in self.tickets),
            self.hotel_said,
            self.agent_said,
            (True,) * count,
            self.net,
            tuple(t.nights for t in self.tickets),
            quoted if self.who == "agent" else (False,) * count,
            (False,) * count,
            self.may_promise,
            self.heard,
        )


_ACT: Final = re.compile(
    r"(?P<kind>[a-z_]+)(?::(?P<topic>[a-z-]+))?(?:@(?P<ticket>\d))?(?:=(?P<value>-?\d+(?:\.\d+)?))?"
    r"(?: (?P<type>selling|net))?(?: (?P<force>[a-z-]+))?$"
)
_FORCES: Final = {force.value.replace(" ", "-"): 1 + i for i, force in enumerate(FORCES)}
_OFFERS, _TAKES = ROLES.index("offers"), ROLES.index("takes")
_STANDS: Final = {
    "hold": "holds", "reject": "holds", "refuse": "refuses", "retract": "retracts", "ask": "asks"
}  # fmt: skip
_TOPICS: Final = {
    "identify": "greet", "address": "soothe", "inform:demand": "inform:calendar", "objection:demand":
    "objection:calendar", "ask:identity": "ask:other", "ask:time": "ask:other",
}  # fmt: skip
_FLAW_TOPICS: Final = {"rude": "insult", "pressure": "pressure", "overpromise": "overpromise"}


def labels_of(acts: Sequence[str], flaws: Sequence[str], seen: EncoderInput, context: Context) -> ReadingLabels:
    """Return what is to be found in a message with these annotated acts."""
    shape = (len(seen.mentions), len(context.rooms))
    roles, scales, nets = np.zeros(shape, np.int64), np.full(shape, MASKED), np.full(shape, MASKED)
    takes, stands = np.zeros(shape[1], np.int64), np.zeros(shape[1], np.int64)
    topics = np.zeros(len(TOPICS), np.float32)
    for i, (_, side) in enumerate(TOPICS):
        if side not in ("both", context.speaker):
            topics[i] = MASKED
    found: set[str] = {_FLAW_TOPICS[flaw] for flaw in flaws if flaw in _FLAW_TOPICS}
    if any(act.startswith("promise:") for act in acts):
        found.discard("overpromise")  # told by the promises themselves
    for text in acts:
        act = _ACT.match(text)
        if act is None:
            continue
        kind, topic = act["kind"], act["topic"]
        tickets = [int(act["ticket"])] if act["ticket"] else list(range(shape[1]))
        if kind == "promise" and topic not in world.PROMISES:
            found.add("overpromise")
        name = f"{kind}:{topic}" if topic and kind not in ("address", "concern") else kind
        found.add(_TOPICS.get(kind, _TOPICS.get(name, name)))
        if kind in ("propose", "quote", "accept", "confirm"):
            role = _OFFERS if kind in ("propose", "quote") else _TAKES
            force = _FORCES.get(act["force"] or "firm", 0)
            for k in tickets:
                if k < shape[1]:
                    _place(act, role, force, k, seen, context, (roles, scales, nets, takes))
        elif kind in _STANDS and (kind != "ask" or topic == "price"):
            for k in tickets:
                if k < shape[1] and stands[k] == 0:
                    stands[k] = STANDS.index(_STANDS[kind])
    for i, (name, _) in enumerate(TOPICS):
        if topics[i] != MASKED and name in found:
            topics[i] = 1.0
    return ReadingLabels(roles, scales, nets, takes, stands, topics)


def _place(
    act: re.Match[str],
    role: int,
    force: int,
    k: int,
    seen: EncoderInput,
    context: Context,
    into: tuple[Ints, Ints, Ints, Ints],
) -> None:
    """Write an act that names a figure onto the figures of the text that say it."""
    roles, scales, nets, takes = into
    if role == _TAKES:
        takes[k] = force
    if act["value"] is None or (role == _TAKES and force != 1):
        return
    value, net = float(act["value"]), act["type"] == "net"
    places = _aligned(value, net, k, seen.mentions, context)
    for m, scale in places:
        roles[m, k], scales[m, k], nets[m, k] = role, SCALES.index(scale), int(net)
    if not places and role == _OFFERS:
        roles[:, k] = MASKED
    if not places and role == _TAKES:
        keep = 1.0 - context.commissions[k]
        standing = (context.quotes if context.speaker == "agent" else context.bids)[k]
        selling = value / keep if net else value
        if standing is None or abs(standing - selling) > 2.0:
            takes[k] = MASKED


def _aligned(value: float, net: bool, k: int, mentions: Sequence[Mention], context: Context) -> list[tuple[int, str]]:
    """Return the mentions that say a figure, with the scale in which they say it."""
    literal = [(m, "literal") for m, mention in enumerate(mentions) if abs(mention.value - value) <= 0.51]
    if literal:
        return literal
    cut = 1.0 - context.commissions[k] if net else 1.0
    nights = context.nights[k] if k < len(context.nights) else 1
    standing = [f * cut for f in (context.quotes[k], context.bids[k], context.selling[k]) if f is not None]
    for m, mention in enumerate(mentions):
        if nights > 1 and abs(mention.value / nights - value) <= 1.01 and mention.value > 100:
            return [(m, "total")]
    for m, mention in enumerate(mentions):
        if mention.value < 250 and any(abs(s - mention.value - value) <= 1.01 for s in standing):
            return [(m, "off")]
    for m, mention in enumerate(mentions):
        if mention.value <= 50 and any(abs(s * (1 - mention.value / 100) - value) <= 2.0 for s in standing):
            return [(m, "percent")]
    bid = context.bids[k]
    for m, mention in enumerate(mentions):
        if bid is not None and 0.0 < mention.value < 250 and abs(bid * cut + mention.value - value) <= 1.01:
            return [(m, "up")]
    return [(m, "middle") for m, mention in enumerate(mentions) if mention.value == 0.0][:1]


def labelled_messages(dialogues: Sequence[WrittenDialogue]) -> Iterator[LabelledMessage]:
    """Yield the messages of written dialogues with their labels."""
    for dialogue in dialogues:
        for message in written_messages(dialogue):
            seen = encoder_input(message.text, message.context, understand(message.text, message.context))
            labels = labels_of(message.acts, message.flaws, seen, message.context)
            yield LabelledMessage(message.where, seen, labels)


def labelled_drills(paths: Sequence[Path] | None = None) -> Iterator[LabelledMessage]:
    """Yield the drills' messages with their labels; by default those that are shipped."""
    for path in sorted(DRILLS.glob("*.jsonl")) if paths is None else paths:
        for number, drill in enumerate(read_lines(path, ReadingDrill), 1):
            context = drill.context()
            seen = encoder_input(drill.text, context, understand(drill.text, context))
            yield LabelledMessage(f"{path.stem}:{number}", seen, labels_of(drill.acts, (), seen, context))
