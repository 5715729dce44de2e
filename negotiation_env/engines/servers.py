"""How a server is spoken to: time, keys and headers, what it is known to do otherwise, and what becomes of failures.

A key is named by the environment variable that holds it; it stands in no spec, file, record or fault. A failed call is
made again (``Tries``): a few times where the server failed at it, for as long as ``patience`` says where the server is
away or has no time.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from negotiation_env.engines.chat_model import EngineSpecError
from negotiation_env.files import Many, Number, Table, Text

ENVIRONMENT: Final = "env:"
"""Before the name of the environment variable that holds a header's value."""
_SECRET: Final = re.compile(r"auth|key|token|secret|password|cookie|credential", re.IGNORECASE)
SHORTEST_SECRET: Final = 8
"""Characters from which on the value of any variable may be a key: ``TOKENIZERS_PARALLELISM=false`` holds none."""
LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries at most, unless the server asks for more."""
_AWAY_PAUSE: Final = 5.0
"""Seconds between two tries at most while a server is away; an absence longer than this is told."""
_log = logging.getLogger(__name__)
_NUMBER_OF_TOKENS: Final = re.compile(r"(?:max|min|num|reasoning|thinking)_(?:\w+_)?tokens?", re.IGNORECASE)


def names_secret(name: str) -> bool:
    """Whether a field's name sounds as if its value were a secret; numbers of tokens are none."""
    return name != "key_env" and bool(_SECRET.search(_NUMBER_OF_TOKENS.sub("", name)))


def environment_secrets() -> list[str]:
    """Return the values of environment variables whose names sound like a secret's; short words are none."""
    return [value for name, value in os.environ.items() if len(value) >= SHORTEST_SECRET and names_secret(name)]


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text with "[key]" in place of secrets."""
    # The longer first, so that a key within another leaves no rest of it.
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "[key]")
    return text


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
    """Seconds a try, from its first byte sent to its last byte read."""
    retries: Annotated[int, Field(ge=0, le=20)] = 6
    """Further tries after a failed one: an error of the server's, a timeout, a broken or empty answer. 0 makes no
    second try, whatever failed."""
    backoff: Annotated[Number, Field(gt=0.0)] = 0.5
    """Seconds before the second try; each further pause is twice as long."""
    patience: Annotated[Number, Field(ge=0.0)] = 600.0
    """Seconds for which a server is waited for that refuses connections, or says that it has no time (429, 502, 503,
    504). One that has never answered is given ``retries`` alone, unless this is set."""
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
    logprobs: bool = False
    """Whether replies come with their token ids and log-probabilities, which training needs; vLLM tells both."""
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
        return tuple(filter(None, (os.environ.get(name) for name in (self.key_env, *named))))


Outcome = Literal["answered", "failed", "away"]
"""What came of a try: an answer that stands, a failure that another try may mend, or a server that is not there."""


@dataclass(slots=True)
class Contact:
    """What all calls to one server have found out about it.

    Attributes:
        answered: whether it has ever answered.
        away_since: when it was first found away, with no answer since; None if it is there.
        told: whether its absence has been told.
    """

    answered: bool = False
    away_since: float | None = None
    told: bool = False


class Tries:
    """How one call goes on after each of its tries.

    Args:
        settings: the server's.
        contact: what is known of the server, shared by its calls.
        where: the server's address, for what is told.
        jitter: 0 to 1; pauses are up to a quarter longer by it, so that calls do not come back all at once.
        clock: seconds, growing.
    """

    def __init__(
        self,
        settings: ServerSettings,
        contact: Contact,
        where: str,
        jitter: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.contact = contact
        self.where = where
        self._stretch = 1.0 + jitter / 4.0
        self._clock = clock
        self._failed = 0
        self._absent = 0
        self._away_since: float | None = None

    @property
    def waited(self) -> float:
        """Seconds for which this call has waited for a server that is away; 0 if it is there."""
        return 0.0 if self._away_since is None else self._clock() - self._away_since

    def pause(self, outcome: Outcome, asked: float = 0.0) -> float | None:
        """Return the seconds until the next try, None if there is to be none.

        Args:
            outcome: what came of the last try.
            asked: seconds that the server asks to be left alone for.
        """
        contact, settings = self.contact, self.settings
        asked = min(asked, settings.patience)
        if outcome == "away":
            return self._away(asked)
        if outcome == "answered":
            if contact.told and contact.away_since is not None:
                _log.warning("%s: back after %.0f s", self.where, self._clock() - contact.away_since)
            contact.answered, contact.away_since, contact.told = True, None, False
            return None
        self._away_since, self._absent = None, 0
        self._failed += 1
        if self._failed > settings.retries:
            return None
        return max(asked, min(LONGEST_PAUSE, settings.backoff * 2.0 ** (self._failed - 1)) * self._stretch)

    def _away(self, asked: float) -> float | None:
        contact, settings, now = self.contact, self.settings, self._clock()
        if contact.away_since is None:
            contact.away_since = now
        if self._away_since is None:
            self._away_since = now
        self._absent += 1
        known = contact.answered or "patience" in settings.model_fields_set
        if settings.retries == 0 or (not known and self._absent > settings.retries):
            return None
        # A call that comes after the wait is over makes one try: the wait is the server's, not each call's.
        left = settings.patience - (now - min(self._away_since, contact.away_since))
        if known and left <= 0.0:
            return None
        pause = max(asked, min(_AWAY_PAUSE, settings.backoff * 2.0 ** min(self._absent - 1, 16)) * self._stretch)
        if known and not contact.told and now - contact.away_since > _AWAY_PAUSE:
            contact.told = True
            _log.warning("%s: no answer; waiting for it for up to %.0f s more (option patience)", self.where, left)
        return min(pause, left) if known else pause
