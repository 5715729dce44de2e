"""One negotiation on floats and N on arrays are the same negotiation, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from negotiation_env.envs.spaces import OBSERVATION_SIZE, observation
from negotiation_env.game.features import FEATURES, reply_features
from negotiation_env.game.lanes import ARRAYS, FLOATS, Lanes, episode_seed
from negotiation_env.game.moves import move_of_action
from negotiation_env.game.scenario import sample_card, sample_floors
from negotiation_env.game.state import (
    GameState,
    apply_decision,
    apply_move,
    new_game,
    open_tickets,
    settle,
)
from simulators.managers.rule_manager import RuleManager

LANES, TURNS = 120, 12
DYNAMICS = RuleManager().dynamics


def _step(lanes: Lanes, game: GameState, seat: Any, action: Any) -> Any:
    move = move_of_action(lanes, action[0], action[1], action[2], game)
    claims = settle(lanes, game, move)
    features = reply_features(lanes, game, move, claims)
    apply_move(lanes, game, move, claims)
    apply_decision(lanes, game, DYNAMICS.decide(lanes, seat, game, move))
    return features


def _actions() -> Any:
    rng = np.random.default_rng(5)
    actions = rng.integers([0, 0, 0], [13, 8, 11], size=(TURNS, LANES, 3))
    actions[..., 0] = np.where(rng.random((TURNS, LANES)) < 0.7, rng.integers(0, 6, (TURNS, LANES)), actions[..., 0])
    return actions.astype(np.float64)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, tuple):
        return [leaf for item in value for leaf in _flat(item)]
    if hasattr(value, "__dataclass_fields__"):
        return [leaf for name in value.__dataclass_fields__ for leaf in _flat(getattr(value, name))]
    return [value]


def test_floats_and_arrays_play_the_same_negotiations() -> None:
    actions = _actions()
    seeds = [episode_seed(i) for i in range(LANES)]
    batch = np.array(seeds, dtype=np.uint64)
    cards = sample_card(ARRAYS, batch)
    games, seats = new_game(ARRAYS, cards), DYNAMICS.start(ARRAYS, batch, cards, sample_floors(ARRAYS, batch, cards))
    singles = []
    for seed in seeds:
        card = sample_card(FLOATS, seed)
        singles.append((new_game(FLOATS, card), DYNAMICS.start(FLOATS, seed, card, sample_floors(FLOATS, seed, card))))
    for turn in range(TURNS):
        many = _step(ARRAYS, games, seats, actions[turn].T)
        state, private = _flat(games), _flat(seats)
        assert np.array_equal(games.open, open_tickets(ARRAYS, games))
        seen = observation(ARRAYS, games)
        for i, (game, seat) in enumerate(singles):
            one = _step(FLOATS, game, seat, actions[turn, i])
            assert [float(np.broadcast_to(a, LANES)[i]) for a in many] == [float(b) for b in one]
            assert game.open == open_tickets(FLOATS, game) == tuple(kept[i] for kept in games.open)
            count = int(game.card.tickets)
            assert [np.broadcast_to(q, LANES)[i] for q in games.quote[:count]] == list(game.quote[:count])
            assert len(state) == len(_flat(game)) and len(private) == len(_flat(seat))
            assert (games.end[i], seats.mood[i], seats.opened[i]) == (game.end, seat.mood, seat.opened)
            assert [float(np.broadcast_to(a, LANES)[i]) for a in seen] == [float(b) for b in observation(FLOATS, game)]


def test_no_figure_lies_below_the_floor() -> None:
    rng = np.random.default_rng(8)
    batch = np.arange(2000, dtype=np.uint64)
    cards = sample_card(ARRAYS, batch)
    floors = sample_floors(ARRAYS, batch, cards)
    games, seats = new_game(ARRAYS, cards), DYNAMICS.start(ARRAYS, batch, cards, floors)
    for _ in range(20):
        _step(ARRAYS, games, seats, rng.integers([0, 0, 0], [8, 8, 11], size=(2000, 3)).T.astype(float))
        for k in range(3):
            there = cards.tickets > k
            assert np.all(games.quote[k][there] >= floors[k][there] - 1e-6)
            agreed = there & (games.agreed[k] > 0)
            assert np.all(games.agreed[k][agreed] >= floors[k][agreed] - 1e-6)
    assert (games.agreed[0] > 0).sum() > 100


def test_a_batch_is_independent_of_its_order() -> None:
    seeds = np.array([episode_seed(i) for i in range(64)], dtype=np.uint64)
    order = np.random.default_rng(0).permutation(64)
    action = (np.full(64, 2.0), np.full(64, 1.0), np.full(64, 3.0))
    results = []
    for chosen in (seeds, seeds[order]):
        cards = sample_card(ARRAYS, chosen)
        games = new_game(ARRAYS, cards)
        seats = DYNAMICS.start(ARRAYS, chosen, cards, sample_floors(ARRAYS, chosen, cards))
        for _ in range(6):
            _step(ARRAYS, games, seats, action)
        results.append(games)
    assert np.array_equal(results[0].quote[0][order], results[1].quote[0])
    assert np.array_equal(results[0].end[order], results[1].end)


def test_draws_are_uniform_and_depend_on_every_argument() -> None:
    seeds = ARRAYS.fork(np.arange(20_000, dtype=np.uint64), 3)
    draws = ARRAYS.draw(seeds, 2, 1)
    assert abs(draws.mean() - 0.5) < 0.01 and abs(draws.var() - 1 / 12) < 0.003
    assert draws.min() >= 0.0 and draws.max() < 1.0
    for other in (ARRAYS.draw(seeds, 3, 1), ARRAYS.draw(seeds, 2, 2), ARRAYS.draw(seeds + np.uint64(1), 2, 1)):
        assert abs(np.corrcoef(draws, other)[0, 1]) < 0.03
    assert FLOATS.draw(int(seeds[7]), 2, 1) == draws[7]


def test_features_are_named_once_each_and_finite() -> None:
    assert len(set(FEATURES)) == len(FEATURES)
    card = sample_card(FLOATS, 1)
    game = new_game(FLOATS, card)
    move = move_of_action(FLOATS, 1.0, 1.0, 4.0, game)
    values = reply_features(FLOATS, game, move, settle(FLOATS, game, move))
    assert len(values) == len(FEATURES) and np.all(np.isfinite(values))
    assert len(observation(FLOATS, game)) == OBSERVATION_SIZE


@pytest.mark.parametrize(
    ("act", "name"),
    [
        (0.0, "greet_first"), (4.0, "ask_first"), (7.0, "mistaken_claim"), (10.0, "close_open"),
        (11.0, "silent"), (12.0, "off_topic"), (2.0, "bid_without_reason"), (8.0, "soothe_idle"),
        (9.0, "allowed_promise"),
    ],
)  # fmt: skip
def test_an_opening_act_sets_its_own_feature(act: float, name: str) -> None:
    game = new_game(FLOATS, sample_card(FLOATS, 1))
    move = move_of_action(FLOATS, act, 0.0, 4.0, game)
    values = reply_features(FLOATS, game, move, settle(FLOATS, game, move))
    assert values[FEATURES.index(name)] > 0.0


@pytest.mark.parametrize(("share", "at_target", "above"), [(0.5, 0.0, 1.0), (1.0, 1.0, 0.0), (1.2, 1.0, 0.0)])
def test_a_quote_is_taken_at_the_target_or_above_it(share: float, at_target: float, above: float) -> None:
    card = sample_card(FLOATS, 1)
    game = new_game(FLOATS, card)
    quote = card.selling[0] - share * (card.selling[0] - card.target[0])
    game.quote, game.quoted = (quote, *game.quote[1:]), (True, *game.quoted[1:])
    move = move_of_action(FLOATS, 11.0, 0.0, 4.0, game)
    move = move._replace(silent=False, claim=(True, False, False), claim_price=(quote, 0.0, 0.0))
    values = reply_features(FLOATS, game, move, settle(FLOATS, game, move))
    found = [values[FEATURES.index(name)] for name in ("take_at_target", "take_above_target", "take_cut")]
    assert found == pytest.approx([at_target, above, min(share, 1.0)])
