"""A few negotiations through verifiers on the CPU, against a scripted model or a server of one's own.

python environments/hotel_negotiation/example.py [--scenarios N] [--base-url URL --model NAME]
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Annotated, Any

import typer
import verifiers.v1 as vf
from aiohttp import web

from policies.integrations.verifiers_env import NegotiationEnv, load_environment

_PRICE = re.compile(r"(?<![\d.%])(\d{2,5})(?![\d%])")
_serial = count()


def scripted_reply(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return a reply by rule: give a true reason, ask for a rate, take the first rate that the hotel names."""
    said = [str(message["content"]) for message in messages if message["role"] == "assistant"]
    named = _PRICE.findall(str(messages[-1]["content"]))
    if said and named:
        return f"Thank you, we accept {named[-1]} yuan and confirm it for all dates."
    views = re.search(r"(\d+)% more views", str(messages[0]["content"]))
    reasons = (
        f"Hello, this is the travel platform. Partners gain {views[1] if views else 'some'}% more views. "
        "Could you offer a better rate?",
        "We look for a long partnership. Which rate can you offer?",
        "I understand that this is hard. What is the lowest rate you could do?",
    )
    return reasons[min(len(said), len(reasons) - 1)]


@asynccontextmanager
async def scripted_endpoint() -> AsyncIterator[str]:
    """Serve ``scripted_reply`` as OpenAI's chat completions on the loopback; yields the base URL."""

    async def complete(request: web.Request) -> web.Response:
        body = await request.json()
        message = {"role": "assistant", "content": scripted_reply(body["messages"])}
        return web.json_response(
            {
                "id": f"scripted-{next(_serial)}",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
            }
        )

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        await runner.cleanup()


async def play(environment: NegotiationEnv, base_url: str, model: str) -> list[vf.Episode]:
    """Play the environment's scenarios against an OpenAI-compatible endpoint, all at once, in their order."""
    context = vf.ModelContext(model=model, client=vf.EvalClientConfig(base_url=base_url, api_key_var="OPENAI_API_KEY"))
    async with environment.serving():
        return list(await asyncio.gather(*(environment.run_episode(task, context) for task in environment.taskset)))


async def _play(environment: NegotiationEnv, base_url: str, model: str) -> list[vf.Episode]:
    if base_url:
        return await play(environment, base_url, model)
    async with scripted_endpoint() as own_url:
        return await play(environment, own_url, "scripted")


def example(
    scenarios: Annotated[int, typer.Option(help="Sampled scenarios.")] = 4,
    first_seed: Annotated[int, typer.Option(help="Seed of the first.")] = 0,
    max_turns: Annotated[int, typer.Option(help="Messages after which a dialogue is cut off.")] = 8,
    base_url: Annotated[str, typer.Option(help="An OpenAI-compatible endpoint; the key is OPENAI_API_KEY.")] = "",
    model: Annotated[str, typer.Option(help="The model to ask there.")] = "",
) -> None:
    """Play some scenarios through verifiers and print what came of them; exit status 1 if one went wrong."""
    environment = load_environment(first_seed=first_seed, scenarios=scenarios, max_turns=max_turns)
    episodes = asyncio.run(_play(environment, base_url, model))
    for episode in episodes:
        (trace,) = episode.traces
        metrics = ", ".join(f"{name} {value:.3g}" for name, value in trace.metrics.items() if value is not None)
        print(f"{episode.task.data.name}: {trace.stop_condition}, reward {trace.reward:.3f}, {metrics}")
        for error in [*episode.errors, *trace.errors]:
            print(f"  {error.type}: {error.message}")
    if not all(episode.ok for episode in episodes):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(example)
