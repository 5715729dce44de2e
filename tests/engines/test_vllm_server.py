"""vLLM's own server, where vLLM is installed (``make test-vllm``): adapters by name, token ids and log-probabilities.

The server is started as a user would start it, on the tiny base.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed: it wants a venv of its own, see docs/vllm.md")
pytest.importorskip("openai", reason="the package openai is not installed")

from negotiation_env.engines.answers import found_object
from negotiation_env.engines.chat_model import ChatRequest
from negotiation_env.engines.openai_engine import OpenAIEngine
from negotiation_env.engines.servers import ServerSettings
from negotiation_env.engines.specs import base_path
from negotiation_env.engines.transformers_engine import TransformersEngine
from policies.adapters import adapter_folder

ROLES = {"policy": "repo", "voice": "sft", "judge": "dpo"}
"""Shipped adapters by the role that each stands in for."""
START = 1500.0
"""Seconds that a server may take to start, on a machine that others use too."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the tiny base with three adapters."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    modules = [f"{role}={adapter_folder(method, 'tiny')}" for role, method in ROLES.items()]
    words = ["-m", "vllm.entrypoints.openai.api_server", "--model", base_path("tiny"), "--served-model-name", "base",
             "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enable-lora", "--max-loras", "3",
             "--max-lora-rank", "16", "--lora-modules", *modules, "--enable-prefix-caching",
             "--logprobs-mode", "processed_logprobs"]  # fmt: skip
    log = tmp_path_factory.mktemp("server") / "log"
    own = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS": "1800"}
    with log.open("wb") as stream:
        server = subprocess.Popen([sys.executable, *words], stdout=stream, stderr=stream, env={**os.environ, **own})
    try:
        _wait_for(server, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(120)


def _wait_for(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + START
    while time.monotonic() < until:
        assert server.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-3000:]
        try:
            with urlopen(address, timeout=5.0):  # noqa: S310
                return
        except OSError:
            time.sleep(1.0)
    raise AssertionError(f"no server after {START:.0f} s: {log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


def served(url: str, model: str) -> OpenAIEngine:
    return OpenAIEngine(f"{url}#{model}", ServerSettings(logprobs=True, prefix="continue", timeout=600.0))


def ask(text: str, **changes: Any) -> ChatRequest:
    settings: dict[str, Any] = {"max_tokens": 24, "temperature": 0.0, "stop": ("\n",)}
    return ChatRequest(({"role": "user", "content": text},), **(settings | changes))


def test_three_adapters_by_name_say_what_transformers_says_with_tokens_and_logprobs(url: str) -> None:
    requests = [ask(f"Room {n} is {300 + n} yuan a night. What do you say?") for n in range(4)]
    said = set()
    for role, method in ROLES.items():
        local = TransformersEngine(str(adapter_folder(method, "tiny")), dtype="float32")
        same = 0
        for (reply, prompt), request, own in zip(
            served(url, role).generate_from_prompts(requests), requests, local.generate(requests), strict=True
        ):
            assert reply.fault is None and prompt == local.prompt_tokens(request)
            assert len(reply.logprobs) == len(reply.token_ids) > 0 and max(reply.logprobs) <= 0.0
            same += reply.text == own.text
            said.add((role, reply.text))
        assert same >= 3  # of two replies as likely as each other either may come
    assert len({text for _, text in said}) > 4


def test_seeds_stops_beginnings_choices_and_schemas_are_kept(url: str) -> None:
    engine = served(url, "policy")
    first, again, other = engine.generate([ask("Hello?", temperature=1.0, seed=seed) for seed in (1, 1, 2)])
    assert first.text == again.text != other.text
    (begun,) = engine.generate([ask("Hello?", begin="Good morning,")])
    assert begun.text.startswith("Good morning,")
    (chosen,) = engine.generate([ask("Is it so?", choices=("yes", "no"))])
    assert chosen.text in ("yes", "no")
    price = {"type": "object", "properties": {"price": {"type": "integer"}}, "required": ["price"]}
    schema = {**price, "additionalProperties": False}
    (form,) = engine.generate([ask("What price?", schema=json.dumps(schema), max_tokens=100)])
    found = found_object(form.text)
    assert form.finish == "length" or (found is not None and set(found) == {"price"})
