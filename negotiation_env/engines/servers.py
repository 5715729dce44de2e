"""How a server is spoken to: time, keys and headers, and what it is known to do otherwise.

A key is named by the environment variable that holds it; it stands in no spec, file, record or fault.
"""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from negotiation_env.engines.chat_model import EngineSpecError
from negotiation_env.files import Many, Number, Table, Text

ENVIRONMENT: Final = "env:"
"""Before the name of the environment variable that holds a header's value."""
_SECRET: Final = re.compile(r"auth|key|token|secret|password|cookie|credential", re.IGNORECASE)
_NUMBER_OF_TOKENS: Final = re.compile(r"(?:max|min|num|reasoning|thinking)_(?:\w+_)?tokens?", re.IGNORECASE)


def names_secret(name: str) -> bool:
    """Whether a field's name sounds as if its value were a secret; numbers of tokens are none."""
    return name != "key_env" and bool(_SECRET.search(_NUMBER_OF_TOKENS.sub("", name)))


def _no_secret(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if names_secret(name) and not value.startswith(ENVIRONMENT):
            raise ValueError(f'expected the value of {name} as "{ENVIRONMENT}VARIABLE", got a value: keys stay outside')
    return headers


def _no_key(extra: dict[str, Any]) -> dict[str, Any]:
    for name in extra:
        if names_secret(name):
            raise ValueError(f"expected no key in extra, got {name}: name its variable in key_env or headers")
    return extra


class ServerSettings(Table):
    """What holds for every request to a server; all of it has a default."""

    key_env: Text = "OPENAI_API_KEY"
    """Environment variable that holds the key; servers of one's own often want none."""
    headers: Annotated[dict[str, str], AfterValidator(_no_secret)] = Field(default_factory=dict)
    """Further headers; a value "env:NAME" is taken from the environment."""
    timeout: Annotated[Number, Field(gt=0.0)] = 60.0
    """Seconds a try."""
    retries: Annotated[int, Field(ge=0, le=20)] = 2
    """Further tries after a failed one."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 16
    """Requests under way at once."""
    prefix: Literal["ask", "continue"] = "ask"
    """How a reply is made to begin with a given text: by asking for it, or, with servers that have vLLM's
    ``continue_final_message``, by going on from it."""
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The field in which the server takes the most tokens of a reply."""
    leave_out: Many[Literal["seed", "temperature", "top_p", "stop", "response_format"]] = ()
    """Fields that the server refuses."""
    reasoning_tokens: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Tokens that are granted beyond each request's own, for models that reason before they answer. Where there are
    any, stop strings are looked for behind the reasoning, on this side."""
    extra: Annotated[dict[str, Any], AfterValidator(_no_key)] = Field(default_factory=dict)
    """Further fields of every request, such as ``chat_template_kwargs``."""

    def key(self) -> str:
        """Return the key, "" if there is none.

        Raises:
            EngineSpecError: if the variable was named and is not set.
        """
        if "key_env" in self.model_fields_set and self.key_env not in os.environ:
            raise EngineSpecError(
                f"key_env: expected a key in the environment variable {self.key_env}, which is not set: set it"
            )
        return os.environ.get(self.key_env, "")

    def header_values(self) -> dict[str, str]:
        """Return the headers as they are sent.

        Raises:
            EngineSpecError: if a variable is not set, or a header cannot be sent.
        """
        found = {}
        for name, value in self.headers.items():
            if value.startswith(ENVIRONMENT):
                variable = value.removeprefix(ENVIRONMENT)
                if variable not in os.environ:
                    raise EngineSpecError(
                        f"headers: expected {name} in the environment variable {variable}, which is not set: set it"
                    )
                value = os.environ[variable]
            if not (name + value).isascii() or not name.isprintable() or not value.isprintable():
                raise EngineSpecError(f"headers: expected printable ASCII, got something else in {name}: correct it")
            found[name] = value
        return found

    def secrets(self) -> tuple[str, ...]:
        """Return the values that may be told nowhere."""
        named = (v.removeprefix(ENVIRONMENT) for v in self.headers.values() if v.startswith(ENVIRONMENT))
        values = [os.environ.get(name, "") for name in (self.key_env, *named)]
        # The longer first, so that a key within another leaves no rest of it.
        return tuple(sorted((v for v in values if v), key=len, reverse=True))
