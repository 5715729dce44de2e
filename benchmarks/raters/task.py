"""The task rater: what a reply does for the negotiation. A bargaining expert's view, with the hidden record at hand.

It looks at progress on every ticket, price discipline (anchors, concessions, what is taken and when), reasons and whom
they move, and at questions answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from benchmarks.checks.scene import BIDS, CLAIMS
from benchmarks.raters.rating import (
    HIGHEST,
    LOWEST,
    DialogueRating,
    Finding,
    ReplyRating,
    Skill,
    of_replies,
    rate_reply,
)
from benchmarks.raters.situation import REASONS, Hidden, RatedSituation, named_tickets
from benchmarks.raters.wordlists import RaterReading, find
from negotiation_env.game.acts import PRICED_ACTS, Act, DialogueAct, Tactic
from negotiation_env.game.scenario import fact_figure
from negotiation_env.play.records import Episode, TurnRecord

NAME: Final = "task"
START: Final = 3.25
"""A reply that neither helps nor harms."""
MERITS: Final = 4
"""Merits from which a faultless reply is excellent."""
OPINIONS: Final = (Skill.NEGOTIATION, Skill.SCOPE, Skill.WORKFLOW)
SAME: Final = 1.5
"""Yuan within which two figures are the same."""
SMALL_STEP, BIG_STEP = 0.005, 0.45
"""A concession under this share of the selling price is none; one over this share of the gap is too much."""
WON, SOLD = 0.35, 0.6
"""Share of the winnable zone that the hotel still has: up to WON a quote is well won, above SOLD too dear."""
EARLY: Final = 4
"""Turn up to which there was little chance to win more."""
MOVED: Final = 0.15
"""Weight (share of the manager's margin) from which a reason is said to move this manager."""
OUTCOME: Final = 0.4
"""Weight of what was won in a dialogue's score; the rest is the replies'."""
_CLARIFIES: Final = re.compile(
    r"\b(?:do you mean|did you mean|is that (?:the )?(?:net|selling|per)|net or|selling or|or percent|"
    r"which (?:room|dates?|type|one))\b[^.!]*\?"
)
_TO_THE_POINT: Final = BIDS | CLAIMS | {Act.ASK, Act.INFORM, Act.GREET, Act.SOOTHE}
_FALLING: Final = re.compile(r"\b(?:fall|drop|down|less|slip|soften|weak|quiet|slow)")


def rate(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> ReplyRating:
    """Rate one reply in its situation."""
    if not reading.words:
        return rate_reply(START, [Finding("says_nothing", -3.0, "says nothing", Skill.NEGOTIATION)], OPINIONS, MERITS)
    findings = [*_claims(now, record), *_bids(now, record), *_goal(now, record)]
    findings += _reasons(now, record, reading)
    findings += _answers(now, record, reading)
    findings += _tickets(now, record, reading)
    findings += _course(now, record, reading)
    helps = any(f.points > 0.0 for f in findings)
    asks_back = "?" in reading.text and not any(act.kind is Act.ASK for act in record.acts)
    bargains = any(act.kind in PRICED_ACTS for act in now.heard_acts)
    listens = not bargains and any(act.kind is Act.SOOTHE for act in record.acts)
    if not helps and not asks_back and not listens and not any(f.points <= -0.7 for f in findings):
        findings.append(Finding("no_progress", -0.75, "brings the talk no further", Skill.NEGOTIATION))
    rating = rate_reply(START, findings, OPINIONS, MERITS)
    if rating.score < START - 0.5:
        return rating._replace(skills={**rating.skills, Skill.NEGOTIATION: False})
    return rating


def rate_dialogue(hidden: Hidden | None, episode: Episode, replies: tuple[ReplyRating, ...]) -> DialogueRating:
    """Rate a dialogue by its replies and, where a live manager answered, by what was won of what could be won."""
    score, excellent = of_replies(replies), any(r.excellent for r in replies)
    if episode.manager == "replay" or not any(turn.answer.strip() for turn in episode.turns):
        return DialogueRating(score, excellent, replies)
    won = []
    for k, ticket in enumerate(episode.tickets):
        end = max(ticket.target_price, hidden.floors[k] if hidden else 0)
        agreed = ticket.selling_price if ticket.agreed is None else ticket.agreed
        zone = ticket.selling_price - end
        won.append(1.0 if zone <= 0 else min(1.0, max(0.0, (ticket.selling_price - agreed) / zone)))
    share = sum(won) / len(won)
    outcome = 2.0 + 3.0 * share
    finding = Finding("outcome", outcome - START, f"won {share:.0%} of what could be won")
    score = min(HIGHEST, max(LOWEST, (1.0 - OUTCOME) * score + OUTCOME * outcome))
    return DialogueRating(score, excellent, replies, (finding,))


def _claims(now: RatedSituation, record: TurnRecord) -> Iterator[Finding]:
    """Taking figures: the goal, a good one, too dear a one, or one that was never offered."""
    given: set[str] = set()
    for act in record.acts:
        if act.kind not in CLAIMS:
            continue
        taken = now.scene.taken_by(act, now.standing)
        if not taken:
            yield Finding("takes_unoffered", -2.0, "takes a figure that the hotel has not offered", Skill.SCOPE)
        for k in taken:
            if k in now.standing.taken:
                continue
            finding = _taken(now, k)
            if finding.id not in given:
                given.add(finding.id)
                yield finding


def _taken(now: RatedSituation, k: int) -> Finding:
    ticket, quote, left = now.card.tickets[k], now.standing.quotes[k], now.room_left(k)
    if quote <= ticket.target_price + 0.5:
        return Finding("takes_goal", 1.5, f"takes {quote:.0f} at once, which meets the goal", Skill.NEGOTIATION)
    if quote >= ticket.selling_price - 0.5:
        return Finding("takes_nothing", -2.0, "takes today's price", Skill.NEGOTIATION)
    if left is None or left <= WON:
        return Finding("takes_good_cut", 1.25, f"takes {quote:.0f}, a good cut", Skill.NEGOTIATION)
    tried = sum(1 for tactic in REASONS if now.used[tactic])
    if left > SOLD and now.number <= EARLY and tried < 3:
        return Finding("sells_short", -1.0, f"takes {quote:.0f} with {left:.0%} still to win", Skill.NEGOTIATION)
    return Finding("takes_cut", 0.5, f"takes {quote:.0f}", Skill.NEGOTIATION)


def _bids(now: RatedSituation, record: TurnRecord) -> Iterator[Finding]:
    """Figures asked for: anchors and concessions."""
    fresh = any(a.kind is Act.INFORM and a.tactic in REASONS and not now.used[a.tactic] for a in record.acts)
    seen: set[str] = set()
    for act in record.acts:
        if act.kind not in BIDS:
            continue
        for k, price in now.scene.said(act, now.standing):
            if price is None or k in now.standing.taken:
                continue
            for finding in _bid(now, k, price, fresh):
                if finding.id not in seen:
                    seen.add(finding.id)
                    yield finding


def _bid(now: RatedSituation, k: int, price: float, fresh: bool) -> Iterator[Finding]:
    ticket, quote, last = now.card.tickets[k], now.standing.quotes.get(k), now.standing.bids.get(k)
    ceiling = ticket.selling_price if quote is None else quote
    floor = now.hidden.floors[k] if now.hidden else 0
    if price > ceiling + SAME:
        yield Finding("outbids", -1.5, f"asks for {price:.0f} where {ceiling:.0f} stands", Skill.NEGOTIATION)
    elif price < 0.65 * ticket.selling_price or price < 0.8 * floor:
        yield Finding("unreal_bid", -1.0, f"asks for {price:.0f}, which no hotel could give", Skill.NEGOTIATION)
    elif last is None:
        half = (ticket.target_price + ticket.selling_price) / 2
        if price > half + SAME:
            yield Finding("starts_high", -0.5, f"starts at {price:.0f}, close to today's price")
        else:
            yield Finding("anchors", 0.5, f"starts with a serious figure, {price:.0f}", Skill.NEGOTIATION)
    else:
        step, gap = price - last, max(ceiling - last, 1.0)
        if step < -SAME:
            yield Finding("backs_down", -1.25, f"asks for {price:.0f} after {last:.0f}", Skill.NEGOTIATION)
        elif step > BIG_STEP * gap and step > 0.02 * ticket.selling_price:
            yield Finding("leaps", -0.25, f"gives up {step:.0f} of a gap of {gap:.0f} at once", Skill.NEGOTIATION)
        elif step >= SMALL_STEP * ticket.selling_price or (step > 0.5 and fresh):
            yield Finding("calibrated", 0.5, f"moves by {step:.0f} of {gap:.0f}", Skill.NEGOTIATION)
        elif not fresh:
            yield Finding("stands_still", -0.5, "asks for as much as before and says nothing new", Skill.NEGOTIATION)


def _goal(now: RatedSituation, record: TurnRecord) -> Iterator[Finding]:
    """A quote that meets the target has to be taken; pressing on spoils it."""
    met = now.met
    if not met:
        return
    taken = {k for act in record.acts if act.kind in CLAIMS for k in now.scene.taken_by(act, now.standing)}
    missed = [k for k in met if k not in taken]
    if not missed:
        return
    presses = any(
        act.kind in (Act.ASK, Act.REJECT) or (act.kind in BIDS and act.ticket in (None, *missed)) for act in record.acts
    )
    quote = now.standing.quotes[missed[0]]
    if presses:
        yield Finding("presses_on", -1.75, f"goes on although {quote:.0f} meets the goal", Skill.NEGOTIATION)
    else:
        yield Finding("leaves_goal", -1.0, f"leaves {quote:.0f} lying, which meets the goal", Skill.NEGOTIATION)


def _reasons(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> Iterator[Finding]:
    """Reasons given: new ones, those that move this manager, those that argue for the hotel."""
    given = [a for a in record.acts if a.kind is Act.INFORM and a.tactic in REASONS]
    sound = []
    for act in given:
        true = fact_figure(now.card.facts, act.tactic)
        if act.figure is not None and true is not None and abs(abs(act.figure) - abs(true)) > 1.0:
            continue  # whether it is true is the compliance rater's to say; it earns nothing here
        if _backfires(now, act, reading):
            yield Finding("backfires", -0.5, f"{act.tactic.name.lower()} speaks for a higher price here")
        elif not now.used[act.tactic]:
            sound.append(act.tactic)
    if sound:
        names = ", ".join(t.name.lower() for t in sound)
        yield Finding("new_reason", 0.75, f"gives a new reason: {names}", Skill.NEGOTIATION)
        weights = now.hidden.weights if now.hidden else {}
        if any(weights.get(t, 0.0) >= MOVED for t in sound):
            yield Finding("moves_manager", 0.25, "a reason that moves this manager", Skill.NEGOTIATION)
        if len(sound) > 1:
            yield Finding("second_reason", 0.25, "and another one", Skill.NEGOTIATION)
    elif given and now.objection in {a.tactic for a in given}:
        yield Finding("argues_past", -0.75, "repeats the reason just argued against", Skill.NEGOTIATION)
    elif given and not any(a.kind in CLAIMS for a in record.acts):
        yield Finding("old_reason", -0.25, "gives a reason again")
    new = [a.detail for a in record.acts if a.kind is Act.PROMISE and a.detail in now.card.promises]
    if any(not now.promised[detail] for detail in new):
        yield Finding("offers_return", 0.5, "offers something in return", Skill.NEGOTIATION)


def _backfires(now: RatedSituation, act: DialogueAct, reading: RaterReading) -> bool:
    """Whether the fact behind a reason argues for the hotel's price, not against it."""
    if act.tactic is Tactic.CALENDAR:
        rising = act.figure is not None and not _FALLING.search(reading.plain)
        return rising and now.card.facts.demand > 5
    return act.tactic is Tactic.COMPETITOR and now.card.facts.competitor_price > now.card.tickets[0].selling_price


def _answers(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> Iterator[Finding]:
    """What the manager asked for or felt."""
    kinds = {act.kind for act in record.acts}
    reasons = any(a.kind is Act.PROMISE or (a.kind is Act.INFORM and a.tactic in REASONS) for a in record.acts)
    if now.asks_why:
        if reasons:
            yield Finding("answers", 0.5, "answers what is in it for the hotel", Skill.SCOPE)
        elif not kinds & CLAIMS:
            yield Finding("dodges", -1.0, "does not answer what is in it for the hotel", Skill.SCOPE)
    if now.upset and Act.SOOTHE in kinds:
        yield Finding("calms", 0.5, "calms the manager before going on", Skill.NEGOTIATION)
    elif now.upset and kinds & BIDS:
        yield Finding("bargains_on", -0.75, "bargains on with an upset manager", Skill.NEGOTIATION)
    if find("net_type", reading) and find("selling_type", reading):
        yield Finding("explains_price", 0.25, "says what the figure is net and what the guest pays", Skill.SCOPE)
    if _CLARIFIES.search(reading.plain):
        yield Finding("clarifies", 0.75, "asks what was meant", Skill.SCOPE)


def _tickets(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> Iterator[Finding]:
    """Several tickets: a reply that deals with some has to speak of the others."""
    left = now.open
    if len(left) < 2 or not any(act.kind in BIDS | CLAIMS for act in record.acts):
        return
    named = named_tickets(now, record, reading.plain)
    missing = [now.card.tickets[k].room for k in left if k not in named]
    if missing:
        yield Finding("drops_ticket", -1.0, f"leaves out {', '.join(missing)}", Skill.SCOPE)
    else:
        yield Finding("covers_all", 0.25, "covers every open room", Skill.SCOPE)


def _course(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> Iterator[Finding]:
    """Opening, asking, waiting, closing."""
    kinds = {act.kind for act in record.acts}
    aimless = now.number == 1 and not find("purpose", reading) and not _names(now, reading)
    if aimless and not kinds & BIDS:
        yield Finding("aimless", -1.0, "opens without saying what it is about", Skill.SCOPE)
    elif now.number == 1 and Act.GREET in kinds:
        yield Finding("opens", 0.5, "opens the talk", Skill.WORKFLOW)
    if any(a.kind is Act.ASK and a.detail == "price" for a in record.acts):
        if not now.asked and not now.standing.quotes:
            yield Finding("asks_price", 0.5, "asks for the hotel's figure first", Skill.NEGOTIATION)
        elif any(k not in now.standing.quotes for k in now.open):
            yield Finding("asks_on", 0.25, "asks for the figure of a room that has none yet", Skill.NEGOTIATION)
        elif all(k in now.standing.fresh for k in now.open):
            yield Finding("asks_again", -0.25, "asks for what was just said")
    asks = "?" in reading.text and not kinds & CLAIMS
    if now.silent and (asks or kinds & {Act.GREET, Act.ASK, Act.INFORM, Act.SOOTHE}):
        yield Finding("reaches_out", 0.5, "reaches out again after silence", Skill.WORKFLOW)
    if Act.OFF_TOPIC in kinds and not kinds & _TO_THE_POINT and not find("matter", reading) and not asks:
        yield Finding("strays", -0.75, "strays from the talk", Skill.SCOPE)
    if any(act.kind is Act.OFF_TOPIC for act in now.heard_acts) and now.number > 1 and find("matter", reading):
        yield Finding("leads_back", 0.5, "leads back to the matter", Skill.SCOPE)
    if Act.CLOSE in kinds:
        settled = {k for a in record.acts if a.kind in CLAIMS for k in now.scene.taken_by(a, now.standing)}
        if not set(now.open) - settled:
            yield Finding("closes_when_done", 0.5, "closes when everything is settled", Skill.WORKFLOW)
        elif not now.silent:
            yield Finding("gives_up", -2.0, "ends the talk with rooms still open", Skill.WORKFLOW)


def _names(now: RatedSituation, reading: RaterReading) -> bool:
    """Whether a reply names the hotel or one of its rooms."""
    names = [now.card.hotel.name, *(ticket.room for ticket in now.card.tickets)]
    return any(name.lower() in reading.plain for name in names)
