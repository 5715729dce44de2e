"""Names to objects: managers, readers, rewards, policies and suites, found through entry points.

The packages that build on this one are looked up by name only, so this package imports none of them, and a user's
own plug-in is found the same way as the shipped ones.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any, Final

from negotiation_env.engines.specs import split_spec
from negotiation_env.errors import UsageError, did_you_mean
from negotiation_env.language.encoder_reader import encoder_installed
from negotiation_env.language.reading import Reader
from negotiation_env.play.protocols import Manager, Policy, Reward

MANAGERS, READERS, REWARDS, POLICIES, SUITES, PERSONAS = (
    "negotiation_env.managers",
    "negotiation_env.readers",
    "negotiation_env.rewards",
    "negotiation_env.policies",
    "negotiation_env.suites",
    "negotiation_env.personas",
)
_ENGINES = ("hf", "vllm", "openai", "recorded", "smollm2", "tiny")
"""Kinds of engine spec; a chat policy plays them."""
_PACKAGES = ("simulators", "rewards", "policies", "benchmarks")


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def known(group: str) -> tuple[str, ...]:
    """Return the names that an entry-point group offers, sorted."""
    return tuple(sorted(_points(group)))


def load(group: str, name: str, what: str) -> Any:
    """Return the object behind a name, or raise a ``UsageError`` with the closest known name."""
    point = _points(group).get(name)
    if point is None:
        raise UsageError(f"expected the name of a {what}, got {name!r}.{did_you_mean(name, known(group))}")
    if point.value.partition(".")[0] in _PACKAGES:
        refuse_hidden_packages()
    return point.load()


@cache
def refuse_hidden_packages() -> None:
    """Raise ``UsageError`` where one of this project's packages is hidden by a folder or file of the user's.

    The five packages lie side by side; a ``rewards`` folder beside a user's script comes first on Python's path.
    """
    home = Path(__file__).resolve().parents[2]
    for name in _PACKAGES:
        found = find_spec(name)
        place = Path(found.origin).resolve() if found is not None and found.origin is not None else None
        if place is not None and not place.is_relative_to(home / name):
            here = place.parent if place.name == "__init__.py" else place
            raise UsageError(f"expected negotiation-env's own package {name!r}, got {here}: rename it, it hides ours")


def load_manager(spec: object, llm: str = "smollm2") -> Manager:
    """Return a manager: the object given, or one by name.

    ``"rules"``, ``"llm"`` (worded by engine ``llm``), ``"replay:PATH"``, or ``"demanding:SHARE"``.
    """
    if not isinstance(spec, str):
        if isinstance(spec, Manager):
            return spec
        raise UsageError(f"expected a manager name or an object with start() and respond(), got {spec!r}")
    name, _, rest = spec.partition(":")
    factory = load(MANAGERS, name, "manager")
    if rest:
        return factory(rest)  # type: ignore[no-any-return]
    return factory(llm) if name == "llm" else factory()  # type: ignore[no-any-return]


AUTO: Final = "auto"
"""The reader that suits whoever writes; see ``reader_for``."""


@cache
def _shared_reader(name: str) -> Reader:
    kind, _, argument = name.partition(":")
    factory = load(READERS, kind, "reader")
    made = factory(argument) if argument else factory()
    if not isinstance(made, Reader):
        raise UsageError(f"expected entry point {name!r} of {READERS} to make an object with name and read()")
    return made


def load_reader(spec: object) -> Reader:
    """Return a reader, one object a process: ``"rules[:claims]"``, ``"encoder[:FOLDER]"``, or the object given.

    Raises:
        UsageError: there is no such reader, or what it needs is not installed.
    """
    if isinstance(spec, str):
        return _shared_reader(spec)
    if isinstance(spec, Reader):
        return spec
    raise UsageError(f"expected a reader name or an object with name and read(), got {spec!r}")


def suited_reader(policy: Policy | None) -> str:
    """Return the name of the reader that suits an agent's messages; None stands for a person.

    A policy without a model (``parallel``) words its acts with the phrase book, which ``rules`` reads. What a language
    model or a person writes is read by ``encoder`` where that is installed, else by ``rules``; statements are checked.
    """
    scripted = policy is not None and bool(getattr(policy, "parallel", False))
    if scripted:
        return "rules"
    return "encoder" if encoder_installed() else "rules:claims"


def reader_for(policy: Policy | None, spec: object = AUTO) -> Reader:
    """Return the reader of an agent's messages: the one that ``spec`` names, or with ``"auto"`` what suits the agent.

    See ``load_reader`` and ``suited_reader``.
    """
    return load_reader(suited_reader(policy) if spec == AUTO else spec)


@cache
def _shared_reward(spec: str) -> Reward:
    name, _, rest = spec.partition(":")
    factory = load(REWARDS, name, "reward")
    return factory(rest) if rest else factory()  # type: ignore[no-any-return]


def load_reward(spec: object) -> Reward:
    """Return a reward: ``"repo"``, ``"repo:n=25"`` (one shared object per process and spec), or the object given."""
    if isinstance(spec, str):
        return _shared_reward(spec)
    if isinstance(spec, Reward):
        return spec
    raise UsageError(f"expected a reward name or an object with score() and score_features(), got {spec!r}")


def policy_label(spec: str) -> str:
    """Return a policy's name in reports: the option ``name`` of its spec, else the spec."""
    return str(split_spec(spec).options.get("name", spec))


def load_policy(spec: object) -> Policy:
    """Return a policy: a registered name, ``NAME:ARGUMENT``, an engine spec, ``module:Class``, or the object given.

    A spec may have options (``?max_tokens=512&name=mine``, see ``policies.chat.ChatOptions``): ``name`` is every
    policy's; a factory that takes ``options`` is handed the others.
    """
    if not isinstance(spec, str):
        if isinstance(spec, Policy):
            return spec
        raise UsageError(f"expected a policy spec or an object with name and reply(), got {spec!r}")
    head, options = split_spec(spec)
    name, _, rest = head.partition(":")
    if name in _ENGINES:
        return load(POLICIES, "chat", "policy")(spec)  # type: ignore[no-any-return]
    own_name = options.pop("name", None)
    if name in _points(POLICIES):
        factory, arguments = load(POLICIES, name, "policy"), [rest] if rest else []
    elif rest:
        factory, arguments = _imported(name, rest), []
    else:
        raise UsageError(f"expected a policy spec, got {spec!r}.{did_you_mean(head, known(POLICIES))}")
    if options and "options" not in signature(factory).parameters:
        raise UsageError(f"policy {head}: expected no options but name, got {', '.join(options)}: leave them out")
    policy = factory(*arguments, **({"options": options} if options else {}))
    if not isinstance(policy, Policy):
        raise UsageError(f"expected {head} to make an object with name and reply(), got {policy!r}")
    if own_name is not None:
        policy.name = own_name
    return policy


def _imported(module: str, name: str) -> Any:
    """Return ``module:Class``."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        names = did_you_mean(module, known(POLICIES))
        raise UsageError(f"expected a policy name or module:Class, got {module}:{name} ({error}).{names}") from error
