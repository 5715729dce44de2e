"""What the encoder sees of a message, and what is made of what its heads say; no model is needed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negotiation_env.game.acts import Act, DialogueAct, Force, PriceType
from negotiation_env.language.encoder_heads import (
    FORCES,
    ROLES,
    STANDS,
    TOPICS,
    Found,
    token_spans,
)
from negotiation_env.language.encoder_input import (
    MESSAGE_FEATURES,
    PAIR_FEATURES,
    SCALES,
    TICKET_FEATURES,
    encoder_input,
    figure_of,
    find_mentions,
)
from negotiation_env.language.encoder_reader import Thresholds, acts_of, reads, rest_of_list
from negotiation_env.language.reading import Context, Reading
from negotiation_env.language.rule_reader import understand

ONE = Context(
    "agent", ("Deluxe King",), (363.0,), (0.15,), (309.0,), (None,), (True,), False,
    (4,), (True,), (False,), ("badge",), "309 for the king.",
)  # fmt: skip
TWO = Context(
    "agent", ("Deluxe King", "Family Suite"), (363.0, 640.0), (0.15, 0.15), (309.0, 577.0), (None, None),
    (True, True), False, (4, 2), (True, True), (False, False), (), "309 and 577.",
)  # fmt: skip
SAID_NOTHING = Reading((), ())


def found(context: Context, text: str, **parts: np.ndarray) -> Found:
    """Heads that are sure of nothing, but for the parts given."""
    mentions, tickets = len(find_mentions(text)), len(context.rooms)
    zero = {
        "roles": np.tile(np.eye(len(ROLES))[0], (mentions, tickets, 1)),
        "scales": np.tile(np.eye(len(SCALES))[0], (mentions, 1)),
        "nets": np.zeros(mentions),
        "takes": np.tile(np.eye(1 + len(FORCES))[0], (tickets, 1)),
        "stands": np.tile(np.eye(len(STANDS))[0], (tickets, 1)),
        "topics": np.zeros(len(TOPICS)),
    }
    return Found(**{name: np.asarray(parts.get(name, value), dtype=np.float32) for name, value in zero.items()})


def read(context: Context, text: str, rules: Reading = SAID_NOTHING, **parts: np.ndarray) -> Reading:
    return acts_of(
        found(context, text, **parts), encoder_input(text, context, SAID_NOTHING), context, Thresholds(), rules
    )


def test_the_message_and_its_figures_are_found_in_the_text() -> None:
    seen = encoder_input("300 for the King, or 540 for the suite?", TWO, SAID_NOTHING)
    assert seen.text[slice(*seen.said)] == "300 for the King, or 540 for the suite?"
    assert [seen.text[slice(*span)] for span in seen.spans] == ["300", "540"]
    assert [seen.text[slice(*span)] for span in seen.tickets] == ["A: Deluxe King", "B: Family Suite"]
    assert seen.pairs.shape == (2, 2, PAIR_FEATURES)
    assert seen.about.shape == (2, TICKET_FEATURES)
    assert seen.gist.shape == (MESSAGE_FEATURES,)


@given(st.text(max_size=300), st.sampled_from([ONE, TWO]), st.sampled_from(["agent", "manager"]))
def test_any_message_can_be_seen(text: str, context: Context, speaker: str) -> None:
    seen = encoder_input(text, context._replace(speaker=speaker), SAID_NOTHING)  # type: ignore[arg-type]
    assert np.isfinite(seen.pairs).all()
    assert np.isfinite(seen.about).all()


def test_what_lies_between_two_figures_is_a_figure() -> None:
    assert [m.value for m in find_mentions("the middle of 380 and 400?")] == [390.0, 380.0, 400.0]
    assert [m.value for m in find_mentions("meet me between your 380 and 400")] == [390.0, 380.0, 400.0]
    assert [m.value for m in find_mentions("meet me in the middle")] == [0.0]
    assert [m.value for m in find_mentions("between us, 380 is much, and 400 more")] == [380.0, 400.0]


def test_what_the_rules_make_of_a_figure_is_told() -> None:
    text = "Take 20 off and we have it."
    bid = DialogueAct(Act.COUNTER, price=289.0, price_type=PriceType.SELLING, ticket=0)
    silent, told = (encoder_input(text, ONE, Reading(acts, ())).pairs[0, 0] for acts in ((), (bid,)))
    assert [i for i in range(PAIR_FEATURES) if silent[i] != told[i]] == [29, 42]  # a figure for it, and "off"


def test_a_reduction_is_worth_what_the_rules_take_it_from() -> None:
    roles = np.tile(np.eye(len(ROLES))[1], (1, 1, 1))
    scales = np.tile(np.eye(len(SCALES))[SCALES.index("off")], (1, 1))
    off_the_page = DialogueAct(Act.COUNTER, price=343.0, price_type=PriceType.SELLING, ticket=0)
    text = "Take 20 off the page, that would do."
    assert [a.price for a in read(ONE, text, roles=roles, scales=scales).acts] == [289.0]
    assert [a.price for a in read(ONE, text, Reading((off_the_page,), ()), roles=roles, scales=scales).acts] == [343.0]


def test_tokens_of_a_span() -> None:
    seen = encoder_input("300 it is", ONE, SAID_NOTHING)
    offsets = [(0, 0), *((i, i + 1) for i in range(len(seen.text)))]
    spans = token_spans(seen, offsets)
    assert spans.said == (seen.said[0] + 1, seen.said[1] + 1)
    assert spans.mentions == ((seen.said[0] + 1, seen.said[0] + 4),)


@pytest.mark.parametrize(
    ("value", "scale", "net", "price"),
    [
        (300, "literal", False, 300), (20, "off", False, 289), (10, "percent", False, 278),
        (1240, "total", False, 310), (0, "middle", False, 336), (262, "literal", True, 262),
        (20, "up", False, 329),
    ],
)  # fmt: skip
def test_figures_become_prices(value: float, scale: str, net: bool, price: float) -> None:
    assert figure_of(value, scale, net, 0, ONE) == price


@pytest.mark.parametrize(
    ("firm", "force"),
    [(0.97, Force.FIRM), (0.6, Force.UNSURE)],
)
def test_below_the_stated_confidence_it_is_asked_back(firm: float, force: Force) -> None:
    takes = np.zeros((1, 1 + len(FORCES)))
    takes[0, :2] = 1.0 - firm, firm
    (act,) = read(ONE, "Good, let us do that.", takes=takes).acts
    assert (act.kind, act.force, act.ticket) == (Act.ACCEPT, force, 0)


def test_an_acceptance_short_of_firm_carries_its_force() -> None:
    takes = np.zeros((2, 1 + len(FORCES)))
    takes[0, 2], takes[1, 0] = 1.0, 1.0
    acts = read(TWO, "The king works if breakfast is in.", takes=takes).acts
    assert [(a.ticket, a.force) for a in acts] == [(0, Force.CONDITIONAL)]


def test_a_bid_goes_to_its_ticket() -> None:
    roles = np.tile(np.eye(len(ROLES))[0], (2, 2, 1))
    roles[0, 0] = roles[1, 1] = np.eye(len(ROLES))[1]
    nets = np.array([0.0, 0.9])
    acts = read(TWO, "290 and 459 net?", roles=roles, nets=nets).acts
    assert [(a.kind, a.ticket, a.price, a.price_type) for a in acts] == [
        (Act.COUNTER, 0, 290.0, PriceType.SELLING),
        (Act.COUNTER, 1, 459.0, PriceType.NET),
    ]


def test_topics_become_acts() -> None:
    topics = np.zeros(len(TOPICS))
    names = [name for name, _ in TOPICS]
    for name in ("greet", "soothe", "promise:badge", "overpromise", "close"):
        topics[names.index(name)] = 1.0
    acts = read(ONE, "Hello.", topics=topics).acts
    assert [(a.kind, a.detail) for a in acts] == [
        (Act.GREET, ""), (Act.SOOTHE, ""), (Act.PROMISE, "badge"), (Act.PROMISE, "other"), (Act.CLOSE, "bye"),
    ]  # fmt: skip


def test_who_reads_what() -> None:
    fluent = "345 for the suite, five nights, and please mind the boiler."
    assert reads(fluent, understand(fluent, ONE), "manager")
    assert not reads(fluent, understand(fluent, ONE), "agent")
    fluent += " It sings at night."
    assert reads(fluent, understand(fluent, ONE), "agent")
    for left in ("309 it is.", "   ", "a " * 4000):
        assert not reads(left, understand(left, ONE), "manager")
    assert understand("309", ONE).reader == "rules"


def test_the_rest_of_a_list_that_agrees_is_the_rules() -> None:
    def counter(ticket: int, price: float) -> DialogueAct:
        return DialogueAct(Act.COUNTER, price=price, price_type=PriceType.SELLING, ticket=ticket)

    listed = Reading((counter(0, 460.0), counter(1, 500.0), counter(2, 780.0)), ())
    assert rest_of_list([counter(0, 460.0), counter(2, 780.0)], listed) == [counter(1, 500.0)]
    assert rest_of_list([counter(0, 450.0), counter(2, 780.0)], listed) == []
    assert rest_of_list([], listed) == []
    alike = Reading((counter(0, 370.0), counter(1, 478.0), counter(2, 478.0)), ())
    assert rest_of_list([counter(0, 370.0), counter(2, 478.0)], alike) == [counter(1, 478.0)]
    assert rest_of_list([counter(2, 478.0)], alike) == []


def test_a_hotel_that_says_its_list_price_again_quotes_nothing() -> None:
    says = TWO._replace(speaker="manager", quotes=(None, None))
    roles = np.tile(np.eye(len(ROLES))[0], (2, 2, 1))
    roles[0, 0] = roles[1, 1] = np.eye(len(ROLES))[1]
    acts = read(says, "363 for the King, the suite I could do at 600.", roles=roles).acts
    assert [(a.ticket, a.price) for a in acts] == [(1, 600.0)]
    acts = read(says._replace(bids=(363.0, None)), "363 for the King, the suite I could do at 600.", roles=roles).acts
    assert [(a.ticket, a.price) for a in acts] == [(0, 363.0), (1, 600.0)]


def test_a_hotel_shuts_a_ticket_where_the_rules_hear_it_too() -> None:
    says = TWO._replace(speaker="manager")
    stands = np.tile(np.eye(len(STANDS))[0], (2, 1))
    stands[1] = 0.9, 0.0, 0.1, 0.0, 0.0
    shut = Reading((DialogueAct(Act.REJECT, ticket=1, detail="final"),), ())
    text = "The suite is closed, whoever asks, until they have mended the stairs."
    assert [(a.kind, a.ticket, a.detail) for a in read(says, text, shut, stands=stands).acts] == [
        (Act.REJECT, 1, "final")
    ]
    assert [a.kind for a in read(says, text, stands=stands).acts] == [Act.OFF_TOPIC]


def test_a_figure_that_is_anothers_net_by_chance_is_a_bid() -> None:
    roles = np.tile(np.eye(len(ROLES))[0], (2, 2, 1))
    roles[0, 0] = roles[1, 1] = np.eye(len(ROLES))[1]
    acts = read(TWO, "289 and 340, could that be?", roles=roles).acts
    assert [(a.ticket, a.price) for a in acts] == [(0, 289.0), (1, 340.0)]


@pytest.mark.parametrize(
    ("text", "likely", "price", "price_type"),
    [
        ("If you went to 300 (255 to you), could it be?", (0.8, 0.9), 300.0, PriceType.SELLING),
        ("245 to you reads 288.2 on the page, could it be?", (0.9, 0.1), 245.0, PriceType.NET),
    ],
)
def test_a_net_and_its_selling_price_are_one_bid(
    text: str, likely: tuple[float, float], price: float, price_type: PriceType
) -> None:
    roles = np.zeros((2, 2, len(ROLES)))
    for mention, ticket in ((0, 0), (1, 1)):
        roles[mention, ticket, 1] = likely[mention]
    acts = read(TWO, text, roles=roles, nets=np.zeros(2)).acts
    assert [(a.kind, a.price, a.price_type) for a in acts] == [(Act.COUNTER, price, price_type)]


def test_who_bids_what_the_hotel_has_said_is_asked_whether_it_is_taken() -> None:
    roles = np.zeros((1, 1, len(ROLES)))
    roles[0, 0, 1] = 1.0
    acts = read(ONE, "309 seems right for a king like this.", roles=roles).acts
    assert [(a.kind, a.force) for a in acts] == [(Act.COUNTER, Force.FIRM), (Act.ACCEPT, Force.UNSURE)]
