"""The encoder reader: a small sentence encoder with heads says what figures, tickets and messages are about.

MiniLM-L6 (Wang et al. 2020, arXiv 2002.10957; Sentence-Transformers' all-MiniLM-L6-v2) with a LoRA and heads
(``encoder_heads``), trained on written dialogues and drills (``negotiate train reader``), run by ONNX Runtime. Figures
and rooms are found by code (``encoder_input``); the heads tell which figure is offered or taken for which ticket, how
firmly, and what else is said. Below a stated confidence an acceptance is UNSURE, so that the other side asks back. Very
short and very long messages are read by the rules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from negotiation_env.errors import UsageError
from negotiation_env.game import world
from negotiation_env.game.acts import Act, DialogueAct, Force, PriceType, Tactic
from negotiation_env.language.encoder_build import FOLDER, base_folder, encoder_weights, missing, onnx_model, settings
from negotiation_env.language.encoder_heads import FORCES, STANDS, TACTICS, TOPICS, Found, run_heads, token_spans
from negotiation_env.language.encoder_input import (
    MOST_SAID,
    SCALES,
    EncoderInput,
    Floats,
    derived_acts,
    encoder_input,
    figure_of,
)
from negotiation_env.language.offers import SAME
from negotiation_env.language.reading import Context, Reading, spoken
from negotiation_env.language.rule_reader import understand

MOST_TOKENS: Final = 256
BATCH: Final = 16
"""Messages of like length that go through the encoder together."""
OTHERWISE: Final = 0.7
"""Another figure that is so likely offered is a bid and no acceptance to be asked about."""
SURE: Final = 0.9
"""Two figures that are so likely somebody's price, for different tickets, are no net and its selling price."""
WHOLE_BID: Final = 0.3
"""Of a net and its selling price the latter is the bid where it is at least so likely offered."""
LEAST_NET: Final = 30.0
HALF_YUAN: Final = 0.51
NEVER: Final = 2.0
"""A threshold that no probability reaches."""
SHORT: Final = {"agent": 12, "manager": 10}
"""Words of messages that are left to the rules: on the validation authors both misread as many of them."""
THREADS: Final = 1
"""Of ONNX Runtime and NumPy: episodes are spread over processes, and more threads win little on messages this short."""
_OFFERS: Final = (Act.PROPOSE, Act.COUNTER)
_TOPIC: Final = {name: i for i, (name, _) in enumerate(TOPICS)}
_INFORMS: Final = {name: Tactic[name.upper()] for name in TACTICS}


class Thresholds(NamedTuple):
    """From which probability on something counts; chosen on the validation authors."""

    firm: float = 0.85
    """A firm acceptance binds."""
    seconded: float = 0.5
    """The same where the rules hear one too."""
    contradicted: float = 0.99
    """The same where the rules hear one that is less than firm."""
    unsure: float = 0.4
    """From here to ``firm`` the other side asks back."""
    offer: float = 0.5
    seconded_offer: float = 0.3
    """The same where the rules read that bid too."""
    bid: float = 0.9
    """The hotel quotes the agent's own figure, and the rules hear it."""
    unheard_bid: float = 0.98
    """The same where they do not."""
    overpromise: float = 0.5
    seconded_promise: float = 0.1
    """The same where the rules hear one too."""
    close: float = 0.6
    walk: float = 0.9
    """The hotel breaks off, and the rules do not hear it."""
    topic: float = 0.5
    insult: float = 0.9
    """Rare, and dear where it is heard wrongly."""
    stand: float = 0.5
    seconded_refusal: float = 0.03
    """The hotel shuts a ticket for good, and the rules hear it too."""
    selling_below: float = 0.03
    """Less likely net than this, a figure is a selling price whatever the rules say."""
    net_above: float = 0.9
    """From here on it is a net price whatever the rules say."""


def ticket_acts(
    found: Found, seen: EncoderInput, context: Context, at: Thresholds, rules: Reading
) -> tuple[list[DialogueAct], float]:
    """Return the acts on tickets, and the confidence in them; where the rules second it, less certainty is enough."""
    taking = [act for act in rules.acts if act.kind in (Act.ACCEPT, Act.CONFIRM)]
    acts: list[DialogueAct] = []
    confidence = 1.0
    agent = context.speaker == "agent"
    found = with_nets(found, seen, context)
    owned = _owned(found)
    foreign = [act for act in rules.acts if act.kind is Act.COUNTER and act.force is Force.UNSURE]
    for k in range(len(context.rooms)):
        if any(act.ticket == k for act in foreign):  # in a currency that has to be asked about
            acts += [act for act in foreign if act.ticket == k]
            continue
        firm = float(found.takes[k, 1])
        taken, offered = (
            _best(found, seen, context, k, 2, rules, at),
            _best(found, seen, context, k, 1, rules, at, owned.get(k)),
        )
        forces = {act.force for act in taking if act.ticket in (k, None)}
        bar = at.seconded if Force.FIRM in forces else at.contradicted if forces else at.firm
        hedged_by_rules = bool(forces) and Force.FIRM not in forces
        if hedged_by_rules and not agent:  # "if you give me a banner, 300 is fine": a hotel is not held to that
            bar = NEVER
        hedged = int(found.takes[k].argmax())
        stands = agent and offered is not None and _names(offered, context.quotes[k], k, context)
        named = taken if taken and taken[0] > 0.5 else None
        if firm >= bar and agent and not forces and _bids_otherwise(rules, k, context):
            acts.append(_priced(Act.ACCEPT, None, k, Force.UNSURE))
        elif firm >= bar:
            confidence = min(confidence, firm)
            acts.append(_priced(Act.ACCEPT, named, k, Force.FIRM))
        elif firm >= at.unsure and (not offered or offered[0] <= OTHERWISE or stands):
            confidence = min(confidence, max(firm, 1.0 - firm))
            acts.append(_priced(Act.ACCEPT, None, k, Force.UNSURE))
            offered = None if stands else offered
        elif hedged > 1:
            acts.append(_priced(Act.ACCEPT, None, k, FORCES[hedged - 1]))
        if not agent and offered and _names(offered, context.bids[k], k, context):
            heard = any(_says(act, context.bids[k], k, context) for act in rules.acts)
            if hedged_by_rules or offered[0] < (at.bid if heard else at.unheard_bid):
                offered = None  # naming the agent's figure binds as taking it does
        if agent and offered and _names(offered, context.selling[k], k, context):
            offered = None  # nobody bids what the page shows
        seconded = offered is not None and any(
            a.kind in (Act.PROPOSE, Act.COUNTER) and a.ticket == k and a.price is not None
            and abs(a.price - offered[1]) <= SAME for a in rules.acts
        )  # fmt: skip
        if firm < bar and offered and offered[0] >= (at.seconded_offer if seconded else at.offer):
            confidence = min(confidence, offered[0])
            acts.append(_priced(Act.COUNTER, offered, k, Force.FIRM))
            if stands and hedged <= 1:  # who bids what the hotel has said may well take it
                acts.append(_priced(Act.ACCEPT, None, k, Force.UNSURE))
        acts += _stand(found, k, agent, at, bool(acts), rules)
    return acts + rest_of_list(acts, rules), confidence


def rest_of_list(acts: Sequence[DialogueAct], rules: Reading) -> list[DialogueAct]:
    """Return the rules' figures for tickets that nothing was found for, where the other figures of the list agree."""
    theirs = {a.ticket: a for a in rules.acts if a.kind in _OFFERS and a.price is not None and a.force is Force.FIRM}
    mine = {a.ticket: a for a in acts}
    shared = [k for k in theirs if k in mine]
    alike = shared and all(
        mine[k].kind is Act.COUNTER and abs((mine[k].price or 0.0) - (theirs[k].price or 0.0)) <= SAME for k in shared
    )
    told_once = len({a.price for a in theirs.values()}) < len(theirs)  # "478 for both the others"
    if not alike or (told_once and len(shared) < 2):
        return []
    return [theirs[k] for k in theirs if k not in mine]


def with_nets(found: Found, seen: EncoderInput, context: Context) -> Found:
    """Return what was found, figures that are a net and its selling price being one figure, and typed as such.

    "360 (306 to you)" bids once; "505 to you reads 594, could that work?" bids 505 net.
    """
    values = [mention.value for mention in seen.mentions]
    roles, nets = found.roles.copy(), found.nets.copy()
    for n, net in enumerate(values):
        whole = next(
            (
                w
                for w, value in enumerate(values)
                if w != n and _is_net_of(net, value, context) and not _for_others(found.roles[n], found.roles[w])
            ),
            None,
        )
        if whole is None:
            continue
        nets[n], nets[whole] = 1.0, 0.0
        mine, other = roles[n, :, 1:].max(), roles[whole, :, 1:].max()
        if other >= WHOLE_BID or other >= mine:
            roles[n, :, 1:], roles[n, :, 0] = 0.0, 1.0
        else:
            roles[whole, :, 1:], roles[whole, :, 0] = 0.0, 1.0
    return found._replace(roles=roles, nets=nets)


def _for_others(one: Floats, other: Floats) -> bool:
    """Whether two figures are surely for different tickets, so that it is chance where one is the other's net."""
    ours, theirs = one[:, 1:].sum(axis=1), other[:, 1:].sum(axis=1)
    return bool(ours.max() >= SURE and theirs.max() >= SURE and not (np.minimum(ours, theirs) >= SURE).any())


def _is_net_of(net: float, selling: float, context: Context) -> bool:
    """Whether a figure is what another one leaves the hotel, to half a yuan."""
    return net >= LEAST_NET and any(
        keep < 1.0 and abs(selling * keep - net) <= HALF_YUAN for keep in (1.0 - c for c in context.commissions)
    )


def _owned(found: Found) -> dict[int, int]:
    """Return each ticket's mention where two or three offered figures have a ticket each: the likeliest way in all."""
    offered = [m for m in range(len(found.roles)) if found.roles[m, :, 1].max() >= 0.5]
    count = found.takes.shape[0]
    if not 2 <= len(offered) <= count:
        return {}
    ways = [dict(zip(places, offered, strict=True)) for places in permutations(range(count), len(offered))]
    return max(ways, key=lambda way: sum(math.log(max(1e-6, float(found.roles[m, k, 1]))) for k, m in way.items()))


def _names(figure: tuple[float, float, bool], standing: float | None, k: int, context: Context) -> bool:
    """Whether a figure is the one that stands; a selling price."""
    selling = figure[1] / (1.0 - context.commissions[k]) if figure[2] else figure[1]
    return standing is not None and abs(selling - standing) <= SAME


def _bids_otherwise(rules: Reading, k: int, context: Context) -> bool:
    """Whether the rules hear another figure than the one that stands for ticket ``k``."""
    return any(
        a.kind in _OFFERS and a.ticket == k and a.price is not None and not _is_at(a, context.quotes[k], k, context)
        for a in rules.acts
    )


def _says(act: DialogueAct, standing: float | None, k: int, context: Context) -> bool:
    """Whether an act says the figure that stands for ticket ``k``, firmly."""
    return act.ticket == k and act.force is Force.FIRM and _is_at(act, standing, k, context)


def _is_at(act: DialogueAct, standing: float | None, k: int, context: Context) -> bool:
    """Whether an act's figure, if it has one, is the one that stands for ticket ``k``."""
    return act.price is not None and _names((1.0, act.price, act.price_type is PriceType.NET), standing, k, context)


def _is_net(likely: float, value: float, rules: Reading, at: Thresholds) -> bool:
    """Return a figure's price type: what is likely, or, where that is not sure, the rules'."""
    typed = [a.price_type for a in rules.acts if a.price is not None and abs(a.price - value) <= 0.51]
    if typed and at.selling_below < likely < at.net_above:
        return typed[0] is PriceType.NET
    return likely > 0.5


def _best(
    found: Found,
    seen: EncoderInput,
    context: Context,
    k: int,
    role: int,
    rules: Reading,
    at: Thresholds,
    own: int | None = None,
) -> tuple[float, float, bool] | None:
    """Return the likeliest figure of a role on ticket ``k``: probability, price as said, whether net.

    ``own``: the mention that is the ticket's, where several figures share several tickets.
    """
    options: list[tuple[float, float, bool]] = []
    derived = [act for act in derived_acts(seen.mentions, rules) if act.ticket == k and act.kind in _OFFERS]
    for m, mention in enumerate(seen.mentions):
        if own is not None and m != own:
            continue
        if role == 1 and _only_shown(mention.value, k, context):
            continue
        p = float(found.roles[m, k, 1] + found.roles[m, k, 2]) if role == 1 else float(found.roles[m, k, role])
        net = _is_net(float(found.nets[m]), mention.value, rules, at)
        scale = SCALES[int(found.scales[m].argmax())]
        value = figure_of(mention.value, scale, net, k, context)
        if scale != "literal" and role == 1 and derived:  # the rules tell what it is off, or a share of
            value, net = derived[0].price, derived[0].price_type is PriceType.NET
        if value is not None:
            options.append((p, value, net))
    return max(options, key=lambda option: option[0], default=None)


def _only_shown(value: float, k: int, context: Context) -> bool:
    """Whether the hotel's figure is only what its page shows: said again it holds, and quotes nothing."""
    return (
        context.speaker == "manager"
        and abs(value - context.selling[k]) <= _EXACTLY
        and not _near(context.bids[k], context.selling[k])
    )


_EXACTLY: Final = 0.5


def _near(figure: float | None, other: float) -> bool:
    return figure is not None and abs(figure - other) <= SAME


def _priced(kind: Act, figure: tuple[float, float, bool] | None, k: int, force: Force) -> DialogueAct:
    if figure is None:
        return DialogueAct(kind, ticket=k, force=force)
    return DialogueAct(
        kind, price=figure[1], price_type=PriceType.NET if figure[2] else PriceType.SELLING, ticket=k, force=force
    )


def _stand(found: Found, k: int, agent: bool, at: Thresholds, busy: bool, rules: Reading) -> list[DialogueAct]:
    """Return where the speaker stands on ticket ``k``; ``busy``: whether it has an act already."""
    shut = any(a.kind is Act.REJECT and a.ticket == k and a.detail == "final" for a in rules.acts)
    if shut and not agent and found.stands[k, STANDS.index("refuses")] >= at.seconded_refusal:
        return [DialogueAct(Act.REJECT, ticket=k, detail="final")]
    stand = STANDS[int(found.stands[k].argmax())]
    if stand == "none" or found.stands[k].max() < at.stand:
        return []
    if stand == "asks":
        return [DialogueAct(Act.ASK, ticket=None, detail="price")] if agent else []
    if agent:
        return [] if busy else [DialogueAct(Act.REJECT, ticket=k)]
    detail = {"holds": "hold", "refuses": "final", "retracts": "retract"}[stand]
    return [] if busy and detail == "hold" else [DialogueAct(Act.REJECT, ticket=k, detail=detail)]


def acts_of(found: Found, seen: EncoderInput, context: Context, at: Thresholds, rules: Reading) -> Reading:
    """Return the reading that the heads' probabilities come to; ``rules`` is the rules' reading of the message."""
    on_tickets, confidence = ticket_acts(found, seen, context, at, rules)
    said = {name for name, i in _TOPIC.items() if found.topics[i] >= _bar(name, at)}
    forbidden = any(a.kind is Act.PROMISE and a.detail not in world.PROMISES for a in rules.acts)
    if forbidden and found.topics[_TOPIC["overpromise"]] >= at.seconded_promise:
        said.add("overpromise")
    acts = [DialogueAct(Act.GREET)] if "greet" in said else []
    if context.speaker == "agent":
        acts += _agent_topics(said, rules)
    else:
        acts += [DialogueAct(Act.INFORM, detail="upset")] if "upset" in said else []
        acts += [
            DialogueAct(Act.INFORM, tactic, detail="objection")
            for name, tactic in _INFORMS.items()
            if f"objection:{name}" in said
        ]
    asks = [act for act in (*on_tickets, *rules.acts) if act.kind is Act.ASK and act.detail == "price"]
    acts += [act for act in on_tickets if act.kind is not Act.ASK] + asks[:1]
    if "ask:reason" in said:
        acts.append(DialogueAct(Act.ASK, detail="reason"))
    walks = found.topics[_TOPIC["walk"]] >= at.walk or ("walk" in said and any(a.detail == "walk" for a in rules.acts))
    if walks and context.speaker == "manager":
        acts.append(DialogueAct(Act.CLOSE, detail="walk"))
    elif "close" in said:
        acts.append(DialogueAct(Act.CLOSE, detail="bye"))
    if not acts:
        acts = [DialogueAct(Act.OFF_TOPIC)]
    return Reading(tuple(acts), rules.words, round(confidence, 3), "encoder")


def _bar(name: str, at: Thresholds) -> float:
    bars = {"close": at.close, "walk": at.close, "overpromise": at.overpromise, "insult": at.insult}
    return bars.get(name, at.topic)


def _agent_topics(said: set[str], rules: Reading) -> list[DialogueAct]:
    """Return what the agent's message says beside figures; a tactic's figure is the one that the rules found."""
    figures = {act.tactic: act.figure for act in rules.acts if act.kind is Act.INFORM}
    acts = [DialogueAct(Act.INFORM, Tactic.PRESSURE, detail="insult")] if "insult" in said else []
    acts += [
        DialogueAct(Act.INFORM, tactic, figure=figures.get(tactic))
        for name, tactic in _INFORMS.items()
        if f"inform:{name}" in said
    ]
    if "pressure" in said and "insult" not in said:
        acts.append(DialogueAct(Act.INFORM, Tactic.PRESSURE))
    if "soothe" in said:
        acts.append(DialogueAct(Act.SOOTHE))
    acts += [DialogueAct(Act.PROMISE, detail=name) for name in world.PROMISES if f"promise:{name}" in said]
    if "overpromise" in said:
        forbidden = [a for a in rules.acts if a.kind is Act.PROMISE and a.detail not in world.PROMISES]
        acts.append(forbidden[0] if forbidden else DialogueAct(Act.PROMISE, detail="other"))
    return acts


def reads(text: str, rules: Reading, speaker: str) -> bool:
    """Whether the encoder reads a message: the rules read what is too long for it, and short ones as well as it."""
    return len(rules.words) > SHORT[speaker] and len(text) <= MOST_SAID


class EncoderReader:
    """Reads with the encoder; implements ``reading.Reader``. ``load_encoder`` makes one.

    Args:
        session: an ONNX Runtime session of the encoder.
        weights: of the heads.
        tokenizer: the encoder's tokenizer.
        at: thresholds.
    """

    name = "encoder"
    checks_claims = True

    def __init__(self, session: Any, weights: Mapping[str, Floats], tokenizer: Any, at: Thresholds) -> None:
        from threadpoolctl import ThreadpoolController

        self._session, self._weights, self._tokenizer, self.at = session, weights, tokenizer, at
        self._threads = ThreadpoolController()

    def read(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[Reading]:
        """Return one reading a message, in order."""
        readings = [
            understand(text, context)._replace(reader=self.name) for text, context in zip(texts, contexts, strict=True)
        ]
        mine = [i for i, text in enumerate(texts) if reads(text, readings[i], contexts[i].speaker)]
        mine.sort(key=lambda i: len(texts[i]) + len(contexts[i].heard))
        for start in range(0, len(mine), BATCH):
            part = mine[start : start + BATCH]
            seen = [encoder_input(spoken(texts[i]), contexts[i], readings[i]) for i in part]
            for i, item, found in zip(part, seen, self.find(seen), strict=True):
                readings[i] = acts_of(found, item, contexts[i], self.at, readings[i])
        return readings

    def find(self, seen: Sequence[EncoderInput]) -> list[Found]:
        """Return what the heads say about messages of a batch."""
        tokens = self._tokenizer.encode_batch([item.text for item in seen])
        longest = min(MOST_TOKENS, max(len(t.ids) for t in tokens))
        ids, mask = (np.zeros((len(seen), longest), dtype=np.int64) for _ in range(2))
        for row, t in enumerate(tokens):
            count = min(longest, len(t.ids))
            ids[row, :count], mask[row, :count] = t.ids[:count], 1
        spans = [token_spans(item, t.offsets[:longest]) for item, t in zip(seen, tokens, strict=True)]
        (hidden,) = self._session.run(None, {"ids": ids, "mask": mask})
        with self._threads.limit(limits=THREADS, user_api="blas"):  # BLAS wakes all cores for the smallest product
            return [run_heads(hidden[row], spans[row], item, self._weights) for row, item in enumerate(seen)]


def encoder_installed() -> bool:
    """Whether the encoder can read here: its files and what runs them are there."""
    return missing() is None


def load_encoder(folder: str = "") -> EncoderReader:
    """Return the shipped reader, or the one that ``negotiate train reader`` wrote into a folder.

    The first time on a machine it takes about a minute.

    Raises:
        UsageError: something is not installed, or the folder holds no reader.
    """
    place = Path(folder) if folder else FOLDER
    lack = missing(place)
    if lack is not None:
        raise UsageError(f"expected the encoder reader in {place} and what it needs, it lacks {lack}")
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(onnx_model(place)), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(base_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return EncoderReader(session, encoder_weights(place), tokenizer, Thresholds(**settings(place).thresholds))
