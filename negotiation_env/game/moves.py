"""From acts to the game's moves and back, and from the numeric environment's actions to moves.

``move_of`` and ``decision_of`` read one side's acts; ``acts_of_move`` says a move in acts; ``move_of_action`` is the
meaning of a numeric action, for one negotiation or for N.
"""

from __future__ import annotations

from collections.abc import Sequence

from negotiation_env.game.acts import ASKED_BACK, MAX_TICKETS, OFFERED, Act, DialogueAct, Force, PriceType, Tactic
from negotiation_env.game.lanes import Lanes, Num, Trio
from negotiation_env.game.scenario import TaskCard, fact_figure, further_figures, to_selling
from negotiation_env.game.state import CONDITION_NAMES, Decision, GameState, Move, said_price, same_price, unsettled

PRICE_LEVELS = 11
"""Price levels of a numeric action; see ``level_price``."""
_TALKING = (Act.GREET, Act.INFORM, Act.PROPOSE, Act.COUNTER, Act.ASK, Act.REJECT, Act.SOOTHE, Act.PROMISE)
_SAME_FACT = 0.5
"""Facts on a card are whole numbers: another one is another fact."""
_INFORM, _PROMISE = Act.INFORM, Act.PROMISE
# Kinds as bits of one number: a set of members would be hashed one by one, in Python.
_GREETS, _ASKS, _SOOTHES, _PROMISES, _CLOSES, _SILENT, _OFF_TOPIC, _REJECTS = (
    1 << kind
    for kind in (Act.GREET, Act.ASK, Act.SOOTHE, Act.PROMISE, Act.CLOSE, Act.SILENCE, Act.OFF_TOPIC, Act.REJECT)
)
_FIRM = Force.FIRM
_GOES_ON = _ASKS | _SOOTHES
"""Who asks or comforts has not ended the talk, whatever goodbye is said with it."""
_TAKES = 1 << Act.ACCEPT | 1 << Act.CONFIRM
_PRICED = _TAKES | 1 << Act.PROPOSE | 1 << Act.COUNTER
_TACTIC_COUNT = len(Tactic)


def level_price(lanes: Lanes, selling: Num, target: Num, level: Num) -> Num:
    """Return the selling price that a level means: 4 is the target, each step an eighth of the way to today's price."""
    return lanes.ceil(target + (level - 4.0) * 0.125 * (selling - target))


def move_of(acts: Sequence[DialogueAct], card: TaskCard, game: GameState) -> Move:
    """Return what the agent's acts do in one negotiation (floats)."""
    kinds = 0  # one bit per kind
    tactics = [False] * _TACTIC_COUNT
    bid, claim, named = [0.0] * MAX_TICKETS, [False] * MAX_TICKETS, [0.0] * MAX_TICKETS
    unsure, put_off, unclear = [False] * MAX_TICKETS, [False] * MAX_TICKETS, False
    lied = overpromised = rude = False
    net = bool(game.net)
    for act in acts:
        kind = act.kind
        bit = 1 << kind
        kinds |= bit
        if kind is _INFORM:
            tactics[act.tactic] = True
            rude = rude or act.detail == "insult"
            lied = lied or _is_false(act, card)
        elif kind is _PROMISE:
            overpromised = overpromised or act.detail not in card.promises
        elif bit & _PRICED:
            if act.price is not None and act.price_type is not None:
                net = act.price_type is PriceType.NET
            if act.force is _FIRM:
                _place(act, bit & _TAKES != 0, card, game, bid, claim, named)
            elif bit & _TAKES:
                _half_take(act, card, game, bid, claim, unsure, put_off)
            elif act.force in OFFERED:
                _place(act, False, card, game, bid, claim, named)
            elif act.force is Force.UNSURE:
                unclear = True
    tactics[0] = False
    misnames = any(claim) and _misnames(claim, named, game)
    goes_on = kinds & _GOES_ON or any(bid) or any(unsure) or unclear or misnames
    return Move(
        greet=kinds & _GREETS != 0,
        ask=kinds & _ASKS != 0,
        soothe=kinds & _SOOTHES != 0,
        promise=kinds & _PROMISES != 0,
        close=kinds & _CLOSES != 0 and not goes_on,
        silent=kinds & _SILENT != 0 or not acts,
        off_topic=kinds & _OFF_TOPIC != 0,
        reject=kinds & _REJECTS != 0,
        tactics=tuple(tactics),
        overpromise=overpromised,
        false_fact=lied,
        rude=rude,
        net=net and max(bid + named) > 0.0,
        bid=_trio(bid),
        claim=_trio(claim),
        claim_price=_trio(named),
        unsure=_trio(unsure),
        unclear=unclear,
        put_off=_trio(put_off),
    )


def _half_take(
    act: DialogueAct,
    card: TaskCard,
    game: GameState,
    bid: list[float],
    claim: list[bool],
    unsure: list[bool],
    put_off: list[bool],
) -> None:
    """Write an acceptance that is not firm onto its tickets.

    "I could take 300" where 309 stands is a bid. What is firmly taken in the same message is so only if the two acts
    name no ticket in common: in doubt nothing is agreed.
    """
    for k in _places(act, card, game):
        if not game.open[k] or (act.ticket is None and claim[k]):
            continue
        price, stands = _selling(act, card, game, k), bool(game.quoted[k])
        if act.force is Force.PUT_OFF:
            put_off[k] = stands
        elif act.force in ASKED_BACK:
            if price > 0.0 and not (stands and same_price(price, game.quote[k])):
                bid[k] = price
            else:
                unsure[k], claim[k] = stands, False


def _misnames(claim: list[bool], named: list[float], game: GameState) -> bool:
    """Whether a claim of agreement names a figure that does not stand: a bid, for all that it says."""
    return any(
        claims and price > 0.0 and not (game.quoted[k] and same_price(price, game.quote[k]))
        for k, (claims, price) in enumerate(zip(claim, named, strict=True))
    )


def _is_false(act: DialogueAct, card: TaskCard) -> bool:
    """Whether an INFORM cites a figure that the task card does not bear out."""
    if act.figure is None:
        return False
    truth = fact_figure(card.facts, act.tactic)
    if truth is None or abs(abs(act.figure) - abs(truth)) <= _SAME_FACT:
        return False
    return all(abs(abs(act.figure) - figure) > _SAME_FACT for figure, _ in further_figures(card.facts))


def _place(
    act: DialogueAct,
    takes: bool,
    card: TaskCard,
    game: GameState,
    bid: list[float],
    claim: list[bool],
    named: list[float],
) -> None:
    """Write a priced act onto its tickets: as a claim of agreement if it ``takes`` a figure, else as a bid."""
    for k in _places(act, card, game):
        price = _selling(act, card, game, k)
        if takes:
            claim[k], named[k] = True, price
        else:
            bid[k] = price


def _places(act: DialogueAct, card: TaskCard, game: GameState) -> list[int]:
    """Return the tickets that an agent's priced act is about: without a name, those that the manager has just named.

    Where the manager has asked for a confirmation, those about which it asked.
    """
    if act.ticket is not None:
        return [act.ticket] if 0 <= act.ticket < len(card.tickets) else []
    free = unsettled(game)
    return [k for k in free if game.pending[k]] or [k for k in free if game.fresh[k]] or free[:1]


def _selling(act: DialogueAct, card: TaskCard, game: GameState, k: int) -> float:
    """Return the act's figure as a selling price, 0 if it names none."""
    if act.price is None:
        return 0.0
    kind = act.price_type or (PriceType.NET if game.net else PriceType.SELLING)
    return to_selling(act.price, kind, card.tickets[k].commission)


def acts_of_move(move: Move, card: TaskCard, game: GameState) -> tuple[DialogueAct, ...]:
    """Return the acts that say a move of one negotiation (floats), with the card's true figures."""
    if move.silent:
        return (DialogueAct(Act.SILENCE),)
    acts = [DialogueAct(Act.GREET)] if move.greet else []
    for tactic in Tactic:
        if tactic is not Tactic.NONE and move.tactics[tactic]:
            figure = fact_figure(card.facts, tactic)
            acts.append(DialogueAct(Act.INFORM, tactic, figure=None if figure is None else abs(float(figure))))
    if move.soothe:
        acts.append(DialogueAct(Act.SOOTHE))
    if move.promise:
        acts.append(DialogueAct(Act.PROMISE, detail=card.promises[0] if card.promises else "other"))
    kind = PriceType.NET if move.net else PriceType.SELLING
    for k, ticket in enumerate(card.tickets):
        if move.claim[k]:
            price = said_price(move.claim_price[k], ticket.commission, kind)
            acts.append(DialogueAct(Act.CONFIRM, price=price, price_type=kind, ticket=k))
        elif move.bid[k] > 0.0:
            price = said_price(move.bid[k], ticket.commission, kind)
            act = Act.COUNTER if game.quoted[k] else Act.PROPOSE
            acts.append(DialogueAct(act, price=price, price_type=kind, ticket=k))
    if move.reject:
        acts.append(DialogueAct(Act.REJECT))
    if move.ask:
        acts.append(DialogueAct(Act.ASK, detail="price"))
    if move.close:
        acts.append(DialogueAct(Act.CLOSE, detail="bye"))
    if move.off_topic or not acts:
        acts.append(DialogueAct(Act.OFF_TOPIC))
    return tuple(acts)


def move_of_action(lanes: Lanes, act: Num, tactic: Num, level: Num, game: GameState) -> Move:
    """Return what a numeric action does. ``act``, ``tactic`` and ``level`` are numbers or arrays [N].

    PROPOSE and COUNTER bid the level's price on every open ticket; where that is the manager's standing price they take
    it. ACCEPT takes every standing quote at or below the
    level's price, and bids that price where there is none. CONFIRM takes every standing quote; with none standing it
    claims the first open ticket at the level's price (a mistaken claim). The tactic rides along with acts that talk.
    INFORM without a tactic is small talk.
    """
    card = game.card
    quotes = [game.open[k] & game.quoted[k] for k in range(MAX_TICKETS)]
    prices = [level_price(lanes, card.selling[k], card.target[k], level) for k in range(MAX_TICKETS)]
    good = [quotes[k] & (game.quote[k] <= prices[k]) for k in range(MAX_TICKETS)]
    said = [act == kind for kind in range(len(Act))]
    accepts, confirms = said[Act.ACCEPT], said[Act.CONFIRM]
    any_good = good[0] | good[1] | good[2]
    any_quote = quotes[0] | quotes[1] | quotes[2]
    bids = said[Act.PROPOSE] | said[Act.COUNTER] | (accepts & (any_good ^ True))
    bluffs = confirms & (any_quote ^ True)
    bid, claim, named = [], [], []
    earlier = lanes.flag(act, False)
    for k in range(MAX_TICKETS):
        bluff = bluffs & game.open[k] & (earlier ^ True)
        earlier = earlier | game.open[k]
        named_it = bids & quotes[k] & same_price(prices[k], game.quote[k])
        takes = (accepts & good[k]) | (confirms & quotes[k]) | named_it
        bid.append(prices[k] * (bids & game.open[k] & (named_it ^ True)))
        claim.append(takes | bluff)
        named.append(game.quote[k] * takes + prices[k] * bluff)
    no = lanes.flag(act, False)
    talks = no
    for kind in _TALKING:
        talks = talks | said[kind]
    tactics = (no, *(talks & (tactic == t) for t in range(1, len(Tactic))))
    takes_any = claim[0] | claim[1] | claim[2]
    bids_any = bids & (game.open[0] | game.open[1] | game.open[2])
    idle = (bids & (bids_any ^ True)) | (confirms & (takes_any ^ True))
    return Move(
        greet=said[Act.GREET],
        ask=said[Act.ASK],
        soothe=said[Act.SOOTHE],
        promise=said[Act.PROMISE],
        close=said[Act.CLOSE],
        silent=said[Act.SILENCE],
        off_topic=said[Act.OFF_TOPIC] | (said[Act.INFORM] & (tactic == 0)) | idle,
        reject=said[Act.REJECT],
        tactics=tactics,
        overpromise=no,
        false_fact=no,
        rude=no,
        net=game.net & takes_any & (bluffs ^ True),
        bid=_trio(bid),
        claim=_trio(claim),
        claim_price=_trio(named),
        unsure=(no, no, no),
        unclear=no,
    )


def _trio(values: list[Num]) -> Trio:
    return (values[0], values[1], values[2])


def decision_of(acts: Sequence[DialogueAct], game: GameState) -> Decision:
    """Return the decision that a manager's acts express in one negotiation (floats): ``decision_acts`` backwards."""
    flags = {name: [False] * MAX_TICKETS for name in _FLAGS}
    quote = list(game.quote)
    net, upset, objection = bool(game.net), False, 0.0
    for act in acts:
        if act.kind is Act.INFORM:
            upset = upset or act.detail == "upset"
            objection = float(act.tactic) if act.detail == "objection" else objection
        for k in _tickets_of(act, game):
            name = _flag_of(act, game, k)
            if not game.open[k]:
                name = "confirm"  # what is settled stays settled, whatever is said of it
            if name == "accept" and act.price is None and game.bid[k] <= 0.0:
                continue
            flags[name][k] = True
            flags["read_back"][k] = flags["read_back"][k] or act.kind is Act.ASK
            if act.price is not None and name != "confirm":
                kind = act.price_type or (PriceType.NET if game.net else PriceType.SELLING)
                net = kind is PriceType.NET
                if name in ("accept", "counter"):
                    quote[k] = to_selling(act.price, kind, game.card.commission[k])
            elif name == "accept":
                quote[k] = game.bid[k]
    kinds = {a.kind for a in acts}
    closes = [a.detail for a in acts if a.kind is Act.CLOSE]
    return Decision(
        silent=Act.SILENCE in kinds or not acts,
        greet=Act.GREET in kinds,
        walk="walk" in closes,
        bye="bye" in closes,
        ask=any(a.kind is Act.ASK and a.detail not in ("confirm", "figure", "price") for a in acts),
        upset=upset,
        objection=objection,
        accept=_trio(flags["accept"]),
        counter=_trio(flags["counter"]),
        hold=_trio(flags["hold"]),
        refuse=_trio(flags["refuse"]),
        confirm=_trio(flags["confirm"]),
        quote=_trio(quote),
        net=net,
        read_back=_trio(flags["read_back"]),
        unclear=any(a.kind is Act.ASK and a.detail == "figure" for a in acts),
        retract=_trio(flags["retract"]),
        last=_trio([any(a.detail == "last" and a.ticket == k for a in acts) for k in range(MAX_TICKETS)]),
        warn=any(a.kind is Act.INFORM and a.detail == "warning" for a in acts),
        wonders=any(a.kind is Act.ASK and a.detail == "price" for a in acts),
        condition=_condition_of(acts, [flags["accept"][k] or flags["counter"][k] for k in range(MAX_TICKETS)]),
    )


def _condition_of(acts: Sequence[DialogueAct], commits: Sequence[bool]) -> Trio:
    """Return what a manager's acts tie the figures to which they commit."""
    named = [a.detail.removeprefix("condition:") for a in acts if a.detail.startswith("condition:")]
    number = float(CONDITION_NAMES.index(named[0]) + 1) if named and named[0] in CONDITION_NAMES else 0.0
    return _trio([number * commit for commit in commits])


_FLAGS = ("accept", "counter", "hold", "refuse", "confirm", "read_back", "retract")


def _flag_of(act: DialogueAct, game: GameState, k: int) -> str:
    """Return the name of the decision's flag that a manager's act sets.

    To confirm another figure than the one that stands, or to ask the agent to confirm one, is to commit to it.
    """
    if act.kind is Act.REJECT:
        return {"final": "refuse", "retract": "retract"}.get(act.detail, "hold")
    if act.kind is Act.ASK or (act.kind is Act.CONFIRM and game.open[k]):
        named = _named(act, game, k)
        if named > 0.0 and not (game.quoted[k] and same_price(named, game.quote[k])):
            return "accept" if same_price(named, game.bid[k]) else "counter"
        return "read_back" if act.kind is Act.ASK else "confirm"
    return {Act.ACCEPT: "accept", Act.CONFIRM: "confirm"}.get(act.kind, "counter")


def _named(act: DialogueAct, game: GameState, k: int) -> float:
    """Return the figure of a manager's act as a selling price, 0 if it names none."""
    if act.price is None:
        return 0.0
    kind = act.price_type or (PriceType.NET if game.net else PriceType.SELLING)
    return float(to_selling(act.price, kind, game.card.commission[k]))


def _tickets_of(act: DialogueAct, game: GameState) -> list[int]:
    """Return the tickets that a manager's act speaks of; an acceptance without a figure takes the agent's bids."""
    reads_back = act.kind is Act.ASK and act.detail == "confirm"
    if not reads_back and act.kind not in (Act.PROPOSE, Act.COUNTER, Act.ACCEPT, Act.CONFIRM, Act.REJECT):
        return []
    if act.kind in (Act.ACCEPT, Act.CONFIRM) and act.force is not Force.FIRM:
        return []
    if act.kind in (Act.PROPOSE, Act.COUNTER) and (act.price is None or act.force not in OFFERED):
        return []
    if act.ticket is not None:
        return [act.ticket] if act.ticket < int(game.card.tickets) else []
    return [k for k in unsettled(game) if game.quoted[k]] if reads_back and act.price is None else unsettled(game)
