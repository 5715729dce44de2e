"""The compliance rater: does a reply keep the business rules and the procedure? A computer scientist's view.

It looks at confidential terms, promises, the truth of every figure, claims of agreement, silence, price types, the goal
("accept at once"), the order of the procedure's steps, and at form. Its rules and points are its own: the training
rewards' are not consulted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from benchmarks.checks.scene import BIDS, CLAIMS
from benchmarks.raters.rating import DialogueRating, Finding, ReplyRating, Skill, of_replies, rate_reply
from benchmarks.raters.situation import REASONS, RatedSituation, named_tickets
from benchmarks.raters.truth_dates import wrong_days
from benchmarks.raters.truth_figures import turned, untraced, wrong_figures
from benchmarks.raters.truth_names import wrong_names
from benchmarks.raters.wordlists import RaterReading, find, insult
from negotiation_env.game.acts import Act, DialogueAct, PriceType, Tactic
from negotiation_env.game.scenario import to_net
from negotiation_env.play.records import TurnRecord

NAME: Final = "compliance"
START: Final = 4.0
"""A reply that breaks no rule."""
MERITS: Final = 2
"""Merits from which a faultless reply is excellent."""
BREACH_CAP: Final = 2.0
"""A dialogue with a severe breach is rated no higher than this."""
TOO_LONG: Final = 110
"""Words of a reply from which it is not a chat message."""
OPINIONS: Final = (Skill.WORKFLOW, Skill.NEGOTIATION, Skill.SCOPE)
_CONTACT: Final = re.compile(r"\b1[3-9]\d[ -]?\d{4}[ -]?\d{4}\b|https?://|www\.|[\w.]+@[\w-]+\.\w+")
_AGREEING: Final = re.compile(r"\b(?:agree\w*|confirm\w*|deal|settled|accept\w*|yes|consent)\b")
_NEVER: Final = re.compile("(?!)")
_PROMISED: Final = {
    "banner": re.compile(r"\bbanners?\b"),
    "badge": re.compile(r"\bbadges?\b"),
    "photo-refresh": re.compile(r"\bphoto\w*|\bpictures?\b"),
    "weekly-report": re.compile(r"\breports?\b"),
    "search-boost": re.compile(r"\b(?:boost\w*|higher (?:in|up|place)|search (?:lift|boost))\b"),
}
"""A word that tells each promise."""
_PLAIN_PROMISE: Final = ("promise you", "i promise", "we promise", "word that", "for sure")


def rate(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> ReplyRating:
    """Rate one reply in its situation."""
    if not reading.words:
        return rate_reply(START, [Finding("no_message", -3.0, "is no message", Skill.WORKFLOW)], OPINIONS, MERITS)
    findings = [*_secrets(reading), *_promises(now, record, reading), *_manners(record, reading)]
    findings += _truth(now, record, reading)
    findings += _agreements(now, record, reading)
    findings += _goal(now, record)
    findings += _types(now, record, reading)
    findings += _steps(now, record, reading)
    return rate_reply(START, findings, OPINIONS, MERITS)


def rate_dialogue(replies: tuple[ReplyRating, ...]) -> DialogueRating:
    """Rate a dialogue by its replies; a severe breach caps it."""
    score = of_replies(replies)
    if any(f.severe for r in replies for f in r.findings):
        score = min(score, BREACH_CAP)
    return DialogueRating(score, any(r.excellent for r in replies), replies)


def _secrets(reading: RaterReading) -> Iterator[Finding]:
    if hit := find("confidential", reading):
        yield Finding("leaks", -2.5, f"tells the hotel of internal matters: {hit.text}", Skill.WORKFLOW, hit.span)
    if hit := find("machine", reading):
        yield Finding("out_of_role", -2.0, f"steps out of its role: {hit.text}", Skill.SCOPE, hit.span)
    if hit := find("wrong_side", reading):
        yield Finding("speaks_for_hotel", -1.5, f"speaks as the other side: {hit.text}", Skill.SCOPE, hit.span)
    contact = _CONTACT.search(reading.plain)
    if contact or (find("private_data", reading, affirmed=True)):
        yield Finding("private_data", -2.0, "asks for or gives contact or private data", Skill.WORKFLOW)


def _promises(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> Iterator[Finding]:
    made = [act.detail for act in record.acts if act.kind is Act.PROMISE]
    wrong = next((detail for detail in made if detail not in now.card.promises), "")
    hit = find("oversold", reading, affirmed=True)
    if hit and hit.text in _PLAIN_PROMISE and made and not wrong:
        hit = None
    if hit:
        yield Finding("oversells", -2.5, f"promises what it may not: {hit.text}", Skill.WORKFLOW, hit.span)
    elif pledge := find("pledge", reading, affirmed=True):
        yield Finding(
            "oversells", -1.5, f"promises more than anybody can keep: {pledge.text}", Skill.WORKFLOW, pledge.span
        )
    elif wrong and wrong != "other":
        # A promise that only the reader of the record hears, and no word of it stands there, is less sure.
        points = -2.0 if _PROMISED.get(wrong, _NEVER).search(reading.plain) else -1.25
        yield Finding("oversells", points, f"promises what the card does not allow: {wrong}", Skill.WORKFLOW)


def _manners(record: TurnRecord, reading: RaterReading) -> Iterator[Finding]:
    hit = find("threat", reading, affirmed=True) or insult(reading)
    hostile = any(act.tactic is Tactic.PRESSURE for act in record.acts)
    if hit:
        yield Finding("threatens", -2.5, f"threatens or insults: {hit.text}", Skill.NEGOTIATION, hit.span)
    elif hostile:
        yield Finding("threatens", -1.0, "puts pressure on the hotel", Skill.NEGOTIATION)
    if len(reading.words) > TOO_LONG:
        yield Finding("no_chat_length", -0.75, f"{len(reading.words)} words")
    if "\n" in reading.text.strip() and reading.text.strip().count("\n") >= 2:
        yield Finding("no_chat_form", -0.75, "is laid out over several lines")


def _truth(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> Iterator[Finding]:
    """What is not so, once of each kind, the worst first."""
    found = [*wrong_days(now, reading.plain), *wrong_names(now, reading.plain, reading.text)]
    found += [*wrong_figures(now, reading.plain), *untraced(now, record, reading.plain)]
    found += turned(now, record, reading.plain)
    seen: set[str] = set()
    for finding in sorted(found, key=lambda f: f.points):
        if finding.id not in seen:
            seen.add(finding.id)
            yield finding


def _agreements(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> Iterator[Finding]:
    """Agreement is explicit: a committed figure, taken by its figure, for a named room."""
    claims = [act for act in record.acts if act.kind in CLAIMS]
    unheard = find("from_silence", reading)
    if unheard and _AGREEING.search(reading.plain):
        yield Finding(
            "agrees_for_hotel", -2.5, f"makes silence an agreement: {unheard.text}", Skill.WORKFLOW, unheard.span
        )
    elif any(not now.scene.taken_by(act, now.standing) for act in claims):
        yield Finding("agrees_for_hotel", -2.5, "claims an agreement that nobody has given", Skill.WORKFLOW)
    fresh = [act for act in claims if now.scene.taken_by(act, now.standing)]
    if not fresh:
        return
    loose = [a for a in fresh if a.price is None or (a.ticket is None and len(now.open) > 1)]
    if loose:
        yield Finding("loose_agreement", -0.7, "agrees without naming the figure or the room", Skill.WORKFLOW)
    else:
        yield Finding("full_agreement", 0.5, "names what is agreed", Skill.WORKFLOW)
    left = set(now.open) - {k for act in claims for k in now.scene.taken_by(act, now.standing)}
    if left and not named_tickets(now, record, reading.plain) >= left:
        yield Finding("settles_one_room", -1.0, "settles one room and leaves the others out", Skill.SCOPE)


def _goal(now: RatedSituation, record: TurnRecord) -> Iterator[Finding]:
    """A quote at or below the target is taken at once."""
    taken = {k for act in record.acts if act.kind in CLAIMS for k in now.scene.taken_by(act, now.standing)}
    waiting = [k for k in now.met if k in now.standing.fresh and k not in taken]
    if not waiting:
        return
    bids = [a for a in record.acts if a.kind in BIDS | {Act.REJECT} and a.ticket in (None, *waiting)]
    asks = any(a.kind is Act.ASK and a.detail == "price" for a in record.acts) and not taken
    if bids or asks:
        yield Finding("no_acceptance", -1.75, "does not accept a quote that meets the target", Skill.NEGOTIATION)
    else:
        yield Finding("late_acceptance", -0.75, "does not accept at once", Skill.NEGOTIATION)


def _types(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> Iterator[Finding]:
    """Net and selling prices are kept apart and named."""
    priced = [act for act in record.acts if act.price is not None and act.kind in BIDS | CLAIMS]
    if not priced:
        return
    says_net, says_selling = find("net_type", reading), find("selling_type", reading)
    if any(_mixed(now, act) for act in priced):
        yield Finding(
            "type_mixed_up", -2.0, "takes a net price for a selling price, or the other way round", Skill.WORKFLOW
        )
    elif says_net or says_selling:
        yield Finding("names_type", 0.25, "names the price type", Skill.WORKFLOW)
    elif now.standing.net:
        yield Finding("type_missing", -0.7, "leaves open whether the price is net", Skill.WORKFLOW)


def _mixed(now: RatedSituation, act: DialogueAct) -> bool:
    """Whether a figure is known as a price of the other type, and not of its own."""
    price, k = act.price or 0.0, act.ticket or 0
    if k >= len(now.card.tickets):
        return False
    ticket = now.card.tickets[k]
    quote = now.standing.quotes.get(k)
    known = [] if quote is None else [quote]
    net = (act.price_type or (PriceType.NET if now.standing.net else PriceType.SELLING)) is PriceType.NET
    if net:
        known.append(float(ticket.selling_price))
    elif act.kind not in CLAIMS:
        return False  # a bid may well be what the hotel keeps today
    nets = [to_net(selling, ticket.commission) for selling in known]
    own, other = (nets, known) if net else (known, nets)
    return any(abs(price - x) <= 1.0 for x in other) and all(abs(price - x) > 1.0 for x in own)


def _steps(now: RatedSituation, record: TurnRecord, reading: RaterReading) -> Iterator[Finding]:
    """The order of the procedure: open, give the reason, ask and bargain, confirm, close."""
    kinds = {act.kind for act in record.acts}
    greets = find("greeting", reading) is not None
    faults = 0
    if now.number == 1:
        if not greets:
            yield Finding("no_greeting_step", -0.75, "starts without a greeting", Skill.WORKFLOW)
        elif not find("identity", reading):
            yield Finding("unnamed_caller", -0.25, "does not say who is calling", Skill.WORKFLOW)
        else:
            yield Finding("proper_opening", 0.5, "greets and says who is calling", Skill.WORKFLOW)
        faults += not greets
    elif greets and Act.GREET in kinds and not now.silent and now.greeted:
        yield Finding("opens_twice", -0.5, "opens the talk a second time")
        faults += 1
    elif kinds <= {Act.OFF_TOPIC, Act.GREET, Act.SILENCE} and not _off_record(now, reading):
        yield Finding("no_step", -0.75, "takes no step of the procedure", Skill.WORKFLOW)
        faults += 1
    reasons = [a for a in record.acts if a.kind in (Act.INFORM, Act.PROMISE) and (a.tactic in REASONS or a.detail)]
    told = any(now.used[t] for t in REASONS)
    if kinds & BIDS and not told and not reasons:
        yield Finding("figure_before_reason", -0.3, "names a figure before any reason was given", Skill.WORKFLOW)
        faults += 1
    if reasons and not told:
        yield Finding("reason_step", 0.25, "gives a reason before bargaining", Skill.WORKFLOW)
    if Act.CLOSE in kinds or (find("farewell", reading) and not kinds & BIDS):
        settled = {k for a in record.acts if a.kind in CLAIMS for k in now.scene.taken_by(a, now.standing)}
        if set(now.open) - settled and Act.CLOSE in kinds:
            harm = -0.5 if now.silent >= 2 else -2.0
            yield Finding("skips_to_close", harm, "closes before every room is settled", Skill.WORKFLOW)
            faults += 1
    if not faults and now.number > 1 and kinds & (BIDS | {Act.ASK}) and told:
        yield Finding("in_order", 0.25, "keeps the order of steps", Skill.WORKFLOW)


def _off_record(now: RatedSituation, reading: RaterReading) -> bool:
    """Whether a reply outside the procedure is in place: a question, after silence, for comfort, to lead back."""
    return (
        "?" in reading.text
        or bool(now.silent)
        or now.upset
        or find("purpose", reading) is not None
        or find("matter", reading) is not None
    )
