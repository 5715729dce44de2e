"""The OpenEnv server plays the text environment's game, rewards every reply, and sends nothing that the hotel hides."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip(
    "openenv", reason="openenv is not installed: it needs an environment of its own (make test-openenv)"
)

import uvicorn
from fastapi.testclient import TestClient

from negotiation_env.envs import arguments
from negotiation_env.envs.text import HotelNegotiationEnv
from negotiation_env.errors import UsageError
from negotiation_env.game.scenario import ManagerBrief, scenario_of
from negotiation_env.play.registry import load_manager, reader_for
from policies.integrations.openenv_server import NegotiationClient, Say, make_app
from policies.turn_credit import turn_advantages
from tests.policies.rewards_by_turn import RewardsByTurn
from tests.policies.turn_gradients import policy_gradient, tiny_model, tiny_reply

MESSAGES = (
    "Hello, this is the travel platform. Could you offer a better rate?",
    "Our partners gain more views. What is the lowest rate you could do?",
    "Thank you. We look for a long partnership.",
    "That is too much for us. Could you come down once more?",
)


@contextmanager
def served(**settings: Any) -> Iterator[str]:
    """A real server on the loopback; yields its address."""
    server = uvicorn.Server(uvicorn.Config(make_app(**settings), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10.0)


def told(step: Any) -> tuple[Any, ...]:
    """What a client is told, in the text environment's terms."""
    seen = step.observation
    history = tuple(seen.history)
    return (
        seen.task,
        seen.message,
        history,
        seen.turn,
        step.reward,
        step.done,
        seen.truncated,
        step.metadata.get("outcome"),
    )


def played(seed: int, turns: int) -> list[tuple[Any, ...]]:
    """The same of the text environment in this process."""
    environment = HotelNegotiationEnv(max_turns=turns, reader=reader_for(None, "auto"))
    seen, _ = environment.reset(seed=seed)
    rows: list[tuple[Any, ...]] = [(seen["task"], "", (), 0, None, False, False, None)]
    for message in MESSAGES[:turns]:
        seen, reward, ended, cut, info = environment.step(message)
        outcome = info.get("outcome")
        rows.append((seen["task"], seen["message"], seen["history"], seen["turn"], reward, ended or cut, cut, outcome))
        if ended or cut:
            break
    return rows


def test_sessions_side_by_side_play_the_text_environment_s_game() -> None:
    seeds, turns = (3, 8), 3
    with served(max_turns=turns) as url:
        clients = [NegotiationClient(base_url=url).sync() for _ in seeds]
        for client in clients:
            client.connect()
        rows = [[told(c.reset(seed=seed, episode_id=str(seed)))] for c, seed in zip(clients, seeds, strict=True)]
        for turn in range(turns):
            for client, row in zip(clients, rows, strict=True):
                if not row[-1][5]:
                    row.append(told(client.step(Say(message=MESSAGES[turn]))))
        states = [client.state() for client in clients]
        for client in clients:
            client.close()
    assert rows == [played(seed, turns) for seed in seeds]
    assert [(s.episode_id, s.step_count) for s in states] == [
        (str(seed), len(row) - 1) for seed, row in zip(seeds, rows, strict=True)
    ]


def frames(client: TestClient, *sent: dict[str, Any]) -> list[dict[str, Any]]:
    """What one session answers, frame by frame."""
    with client.websocket_connect("/ws") as socket:
        answers = []
        for frame in sent:
            socket.send_json(frame)
            answers.append(socket.receive_json())
        return answers


def reset(**data: Any) -> dict[str, Any]:
    return {"type": "reset", "data": data}


def say(message: Any) -> dict[str, Any]:
    return {"type": "step", "data": {"message": message}}


class Talkative:
    """The hotel's side by rule, whose errors tell what they must not."""

    name = "talkative"

    def __init__(self, fails: str) -> None:
        self._own, self._fails = load_manager("rules"), fails

    def start(self, scenario: Any, persona: Any = None) -> Any:
        if self._fails == "start":
            raise ValueError(f"the floors are {scenario.brief.floors}")
        return self._own.start(scenario, persona)

    def respond(self, negotiations: Sequence[Any], moves: Sequence[Any]) -> Any:
        if self._fails == "respond":
            raise ValueError(f"the floors are {negotiations[0].scenario.brief.floors}")
        return self._own.respond(negotiations, moves)


@pytest.mark.parametrize("fails", ["", "start", "respond"])
def test_the_hotel_s_side_is_in_nothing_that_is_sent(monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    def low_floors(name: str, seed: int) -> Any:
        scenario = scenario_of(name, seed)
        return replace(scenario, brief=replace(scenario.brief, floors=(61, 67, 73)[: len(scenario.card.tickets)]))

    assert set(ManagerBrief.__dataclass_fields__) == {"floors"}
    monkeypatch.setattr(arguments, "scenario_of", low_floors)
    app = make_app(manager=Talkative(fails), max_turns=3)
    with TestClient(app, raise_server_exceptions=False) as client:
        sent: list[Any] = [client.get(path).text for path in ("/state", "/metadata", "/schema", "/health")]
        sent += [client.post("/reset", json={"seed": 3, "scenario": "x.toml"}).text]
        opened, said, *more = frames(client, reset(seed=3, persona="x"), *map(say, MESSAGES[:2]), {"type": "state"})
    text = json.dumps([*sent, opened, said, *more])
    if fails == "start":
        assert opened["data"]["message"].startswith("the negotiation broke off")
    else:
        assert "hotel" in opened["data"]["observation"]["task"].lower()
        assert said["data"]["metadata"]["fault"] == ("manager" if fails else None)
    assert not re.search(r"floor|persona|mood|patience|concession", text)
    assert not re.search(r"\b(61|67|73)\b", text)


def test_a_caller_s_mistake_is_told_and_the_session_goes_on() -> None:
    with TestClient(make_app(max_turns=1)) as client:
        early, wrong, _, number, extra, last, late, again = frames(
            client,
            say("Hello"),
            reset(seed=-1),
            reset(seed=3),
            say(7),
            {"type": "step", "data": {"message": "Hello", "price": 300}},
            say("Hello"),
            say("Hello?"),
            reset(seed=4),
        )
    assert "call reset() first" in early["data"]["message"]
    assert "expected a seed as an int >= 0" in wrong["data"]["message"]
    assert number["data"]["code"] == extra["data"]["code"] == "VALIDATION_ERROR"
    assert last["data"]["done"] and last["data"]["observation"]["truncated"]
    assert "over" in late["data"]["message"]
    assert again["data"]["observation"]["turn"] == 0


def test_an_unscored_reply_has_no_reward_instead_of_0() -> None:
    with TestClient(make_app(reward=RewardsByTurn((0.5, None)), max_turns=3)) as client:
        _, scored, unscored = frames(client, reset(seed=3), *map(say, MESSAGES[:2]))
    assert scored["data"]["reward"] == 0.5
    assert unscored["data"]["reward"] is None


@pytest.mark.parametrize("wrong", [{"max_turns": 0}, {"sessions": 0}, {"manager": "rule"}, {"suite": "bad-case"}])
def test_a_wrong_setting_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="expected"):
        make_app(**wrong)


@pytest.mark.parametrize(("discount", "reached"), [(0.0, {2}), (0.25, {1, 2})])
def test_a_reward_at_turn_two_reaches_turn_two_s_tokens_and_those_it_is_credited_to(
    discount: float, reached: set[int]
) -> None:
    """A trainer in a few lines: the tiny base talks to the server, and learns from the rewards that it was sent."""
    pytest.importorskip("torch")
    from transformers import AutoTokenizer

    from negotiation_env.engines.specs import base_path

    tokenizer = AutoTokenizer.from_pretrained(base_path("tiny"))
    rewards, ids, turns = list[float | None](), list[int](), list[int]()
    reward = RewardsByTurn((0.0, 1.0, 0.0))
    with served(reward=reward, max_turns=3) as url, NegotiationClient(base_url=url).sync() as client:
        heard = client.reset(seed=3)
        while not heard.done:
            before = tokenizer(f"{heard.observation.message or 'Hello?'}\n", add_special_tokens=False)["input_ids"]
            reply, _ = tiny_reply([*ids, *before], 6)
            heard = client.step(Say(message=tokenizer.decode(reply, skip_special_tokens=True)))
            rewards.append(heard.reward)
            ids += [*before, *reply]
            turns += [0] * len(before) + [len(rewards)] * len(reply)
    (by_turn, _) = turn_advantages([rewards, [0.0] * len(rewards)], [0, 0], discount)
    advantages = [by_turn[turn - 1] if turn else 0.0 for turn in turns]
    gradient = policy_gradient(tiny_model(), ids, advantages, [turn > 0 for turn in turns])
    assert rewards == [0.0, 1.0, 0.0]
    assert {turn for turn, at in zip(turns, gradient, strict=True) if at} == reached
