"""Servers that fail by plan, go away and come back: no request is lost, none waits for ever, nothing hangs."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.studies.faulty_server import FAULTS, SOUND, FaultPlan, FaultyServer, completion_body, faulty_server
from negotiation_env.engines.answers import cause_of, read_completion
from negotiation_env.engines.chat_model import ChatReply, ChatRequest
from negotiation_env.engines.servers import Contact, Outcome, ServerSettings, Tries
from tests.engines.loopback import completion, dead_url, serve

pytest.importorskip("openai", reason="the package openai is not installed")

QUICK: dict[str, Any] = {"timeout": 1.5, "backoff": 0.01, "retries": 9, "concurrency": 24}


def echo(body: bytes) -> bytes:
    return completion_body(f"heard {json.loads(body)['messages'][-1]['content']}")


def asked(count: int) -> list[ChatRequest]:
    return [ChatRequest(messages=({"role": "user", "content": str(n)},), seed=n) for n in range(count)]


def replies(url: str, requests: list[ChatRequest], **settings: Any) -> list[ChatReply]:
    from negotiation_env.engines.openai_engine import OpenAIEngine

    return OpenAIEngine(f"{url}#m", ServerSettings(**(QUICK | settings))).generate(requests)


@pytest.fixture
def failing() -> Iterator[FaultyServer]:
    with faulty_server(echo, FaultPlan(seed=1, share=0.4, hold=9.0)) as server:
        yield server


def test_every_request_is_answered_once_however_calls_fail(failing: FaultyServer) -> None:
    requests = asked(100)
    assert [reply.text for reply in replies(failing.url, requests)] == [f"heard {n}" for n in range(100)]
    assert set(failing.done) == {SOUND, *FAULTS}
    assert len(failing.answered) == 100
    assert 0.25 < 1 - failing.done[SOUND] / failing.done.total() < 0.55


def test_which_calls_fail_follows_from_the_seed_alone() -> None:
    plan, other = FaultPlan(seed=3), FaultPlan(seed=4)
    drawn = [plan.fault(str(n), 0) for n in range(2000)]
    assert drawn == [plan.fault(str(n), 0) for n in range(2000)] != [other.fault(str(n), 0) for n in range(2000)]
    assert 0.17 < sum(map(bool, drawn)) / 2000 < 0.23
    assert {plan.fault("again", before) for before in range(100)} == {"", *FAULTS}


def test_a_server_that_goes_away_is_waited_for(failing: FaultyServer) -> None:
    failing.plan_anew(FaultPlan(share=0.0, away_after=20, away_for=1.0))
    began = time.monotonic()
    assert [reply.text for reply in replies(failing.url, asked(80), concurrency=4, retries=1)] == [
        f"heard {n}" for n in range(80)
    ]
    assert time.monotonic() - began > 1.0


def test_a_server_that_stays_away_costs_its_patience_once(failing: FaultyServer) -> None:
    failing.plan_anew(FaultPlan(share=0.0, away_after=10, away_for=600.0))
    made = replies(failing.url, asked(60), concurrency=2, retries=2, patience=1.5)
    heard = [reply for reply in made if reply.fault is None]
    assert len(heard) >= 8  # the tenth call's connection may be cut with it
    assert {cause_of(reply.fault) for reply in made if reply.fault} == {"no connection"}
    assert any("s: start the server and run again)" in (reply.fault or "") for reply in made)


def test_a_server_that_never_answered_is_not_waited_for() -> None:
    (reply,) = replies(dead_url(), asked(1), retries=2)
    assert reply.fault == "no connection: Connection refused"


def test_each_way_to_fail_is_a_fault_of_its_own_and_a_dripping_body_ends_in_its_time(failing: FaultyServer) -> None:
    failing.plan_anew(FaultPlan(share=1.0, hold=60.0))
    began = time.monotonic()
    made = replies(failing.url, asked(40), retries=0, timeout=2.0)
    assert time.monotonic() - began < 40.0  # a byte comes every three seconds
    assert set(failing.done) == set(FAULTS)
    assert {cause_of(reply.fault or "") for reply in made} == {
        "timeout", "HTTP 429", "HTTP 500", "no connection", "not JSON", "empty answer"
    }  # fmt: skip


def test_ctrl_c_ends_calls_under_way(failing: FaultyServer) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals come to the main thread")
    failing.plan_anew(FaultPlan(share=1.0, hold=90.0))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a library may have set another
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            replies(failing.url, asked(40), timeout=60.0)
    finally:
        signal.signal(signal.SIGINT, before)


class Clock:
    """Seconds as the test has them."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def waits(outcomes: list[Outcome], *, known: bool = True, pause: float = 0.0, **settings: Any) -> list[float | None]:
    """The pauses after each outcome, the clock standing as far as they add up to."""
    clock, contact = Clock(), Contact(answered=known)
    tries = Tries(ServerSettings(**settings), contact, "a server", clock=clock)
    found = []
    for outcome in outcomes:
        found.append(tries.pause(outcome, pause))
        clock.now += found[-1] or 0.0
    return found


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (waits(["answered"]), [None]),
        (waits(["failed"] * 4, retries=3), [0.5, 1.0, 2.0, None]),
        (waits(["failed"] * 3, retries=2, pause=7.0), [7.0, 7.0, None]),
        (waits(["failed"], retries=0), [None]),
        (waits(["away"], retries=0), [None]),
        (waits(["away"] * 7, patience=12.0), [0.5, 1.0, 2.0, 4.0, 4.5, None, None]),
        (waits(["away"] * 3, patience=10.0, pause=60.0), [10.0, None, None]),
        (waits(["away"] * 3, known=False, retries=2), [0.5, 1.0, None]),
        (waits(["away"] * 4, known=False, retries=2, patience=3.0), [0.5, 1.0, 1.5, None]),
        (waits(["away", "failed", "away", "answered"], retries=1), [0.5, 0.5, 0.5, None]),
    ],
)
def test_pauses_grow_and_come_to_an_end(found: list[float | None], expected: list[float | None]) -> None:
    assert found == expected


def test_an_absence_is_told_and_so_is_the_return(caplog: pytest.LogCaptureFixture) -> None:
    clock, contact = Clock(), Contact(answered=True)
    calls = [Tries(ServerSettings(patience=100.0), contact, "http://h/v1", clock=clock) for _ in range(3)]
    for clock.now in (0.0, 6.0, 7.0):
        for call in calls:
            assert call.pause("away") is not None
    calls[0].pause("answered")
    assert [record.getMessage() for record in caplog.records] == [
        "http://h/v1: no answer; waiting for it for up to 94 s more (option patience)",
        "http://h/v1: back after 7 s",
    ]


TOKENS = {"token_ids": [5, 6], "logprobs": {"content": [{"logprob": -0.5}, {"logprob": -1}]}}


@pytest.mark.parametrize(
    ("choice", "sound"),
    [
        (TOKENS, True),
        (TOKENS | {"token_ids": [5]}, False),
        (TOKENS | {"token_ids": ["5", "6"]}, False),
        (TOKENS | {"token_ids": None}, False),
        (TOKENS | {"logprobs": None}, False),
        (TOKENS | {"logprobs": {"content": [{"logprob": "x"}, 3]}}, False),
    ],
)
def test_token_ids_and_logprobs_come_whole_or_not_at_all(choice: dict[str, Any], sound: bool) -> None:
    message = {"message": {"content": "Hi."}, "finish_reason": "stop", **choice}
    reply, prompt = read_completion(json.dumps({"choices": [message], "prompt_token_ids": [1, 2, 3]}), True)
    if sound:
        assert (reply.token_ids, reply.logprobs, prompt) == ((5, 6), (-0.5, -1.0), (1, 2, 3))
    else:
        assert cause_of(reply.fault or "") == "no token ids" and prompt == ()


def test_token_ids_are_asked_for_as_vllm_is_asked() -> None:
    with serve(lambda body: completion("Hi.")) as server:
        (reply,) = replies(server.url, asked(1), logprobs=True)
    assert server.asked[0]["logprobs"] is True and server.asked[0]["return_token_ids"] is True
    assert cause_of(reply.fault or "") == "no token ids"
