"""Policy files: many agents in one TOML file, with the servers that they share, read as policy specs.

A ``[server.NAME]`` table is a base URL and the settings of ``ServerSettings``; an ``[[agent]]`` is a policy's spec, or
a server and one of its models, with the options of ``ChatOptions``. A key is named by its environment variable and
stands in no file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from negotiation_env.engines.servers import ServerSettings
from negotiation_env.engines.specs import join_spec, split_spec
from negotiation_env.errors import DataFileError, did_you_mean
from negotiation_env.files import Many, Table, Text, read_toml
from policies.chat import ChatOptions


class ServerEntry(ServerSettings):
    """A server: where it is, and how it is spoken to."""

    url: Text
    """Base URL, such as ``http://localhost:8000/v1``."""


class AgentEntry(ChatOptions):
    """An agent: ``policy``, or ``server`` and ``model``; options that are left out are the policy's own."""

    policy: Text | None = None
    """A policy's spec without options."""
    server: Text | None = None
    model: Text | None = None
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further fields of every request of this agent, over the server's."""


class AgentsFile(Table):
    """What a policy file holds."""

    agent: Many[AgentEntry] = Field(min_length=1)
    server: dict[str, ServerEntry] = Field(default_factory=dict)


def read_agents(path: Path) -> list[str]:
    """Return the specs of a file's agents, in order, each with all its options.

    Raises:
        DataFileError: if the file is wrong: names the field, what was expected and got.
    """
    content = read_toml(path, AgentsFile)
    return [_spec(agent, content.server, f"{path}: agent.{n}") for n, agent in enumerate(content.agent, 1)]


def _spec(agent: AgentEntry, servers: dict[str, ServerEntry], where: str) -> str:
    options = agent.model_dump(exclude_unset=True, exclude={"policy", "server", "model"})
    if agent.policy is not None:
        if agent.server is not None or agent.model is not None:
            raise DataFileError(f"{where}: expected policy, or server and model, got both: leave one out")
        head, known = split_spec(agent.policy)
        if known:
            raise DataFileError(f"{where}: expected policy without options, got {agent.policy!r}: give them as fields")
        return join_spec(head, options)
    if agent.server is None or agent.model is None:
        raise DataFileError(f"{where}: expected policy, or server and model, got neither: name what plays")
    if agent.server not in servers:
        raise DataFileError(
            f"{where}: expected the name of a server in this file, got {agent.server!r}."
            f"{did_you_mean(agent.server, servers)}"
        )
    server = servers[agent.server]
    settings = server.model_dump(exclude_unset=True, exclude={"url"})
    options["extra"] = {**settings.pop("extra", {}), **options.get("extra", {})}
    options.setdefault("name", f"{agent.server}/{agent.model}")
    return join_spec(f"openai:{server.url}#{agent.model}", {**settings, **options})
