"""Names to objects: managers, readers, rewards, policies and suites, found through entry points.

The packages that build on this one are looked up by name only, so this package imports none of them, and a user's
own plug-in is found the same way as the shipped ones. What is not installed at all goes by ``module:Name``; the working
folder is looked through too.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache, partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any, Final

from negotiation_env.engines.specs import KINDS, split_spec
from negotiation_env.errors import NegotiationError, UsageError, did_you_mean
from negotiation_env.language.encoder_reader import encoder_installed
from negotiation_env.language.reading import Reader
from negotiation_env.play.own_parts import PACKAGES, FunctionReward, error_line
from negotiation_env.play.protocols import Manager, Policy, Reward

MANAGERS, READERS, REWARDS, POLICIES, SUITES, PERSONAS = (
    "negotiation_env.managers",
    "negotiation_env.readers",
    "negotiation_env.rewards",
    "negotiation_env.policies",
    "negotiation_env.suites",
    "negotiation_env.personas",
)


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def known(group: str) -> tuple[str, ...]:
    """Return the names that an entry-point group offers, sorted."""
    return tuple(sorted(_points(group)))


def load(group: str, name: str, what: str) -> Any:
    """Return the object behind a name.

    Raises:
        UsageError: there is no such name (tells the closest), or it is a plug-in's that cannot be imported.
    """
    point = _points(group).get(name)
    if point is None:
        raise UsageError(f"expected the name of a {what}, got {name!r}.{did_you_mean(name, known(group))}")
    if point.value.partition(".")[0] in PACKAGES:
        refuse_hidden_packages()
        return point.load()
    try:
        return point.load()
    except Exception as error:  # importing a plug-in runs its code
        raise UsageError(
            f"expected {what} {name!r} to be importable from plug-in {point.value}, got {error_line(error)}: "
            "correct or uninstall that plug-in"
        ) from error


@cache
def refuse_hidden_packages() -> None:
    """Raise ``UsageError`` where one of this project's packages is hidden by a folder or file of the user's.

    The five packages lie side by side; a ``rewards`` folder beside a user's script comes first on Python's path.
    """
    home = Path(__file__).resolve().parents[2]
    for name in PACKAGES[1:]:  # this one was found
        found = find_spec(name)
        place = Path(found.origin).resolve() if found is not None and found.origin is not None else None
        if place is not None and not place.is_relative_to(home / name):
            here = place.parent if place.name == "__init__.py" else place
            raise UsageError(f"expected negotiation-env's own package {name!r}, got {here}: rename it, it hides ours")


VOICED: Final = frozenset({"llm", "llm-decides"})
"""Managers that a language model voices."""


def load_manager(spec: object, llm: str = "smollm2") -> Manager:
    """Return a manager: the object given, or one by name.

    ``"rules"``, ``"llm"`` (worded by engine ``llm``), ``"llm-decides"`` (decided by it too), ``"replay:PATH"``,
    ``"demanding:SHARE"``, or ``"module:Class"``.

    Raises:
        UsageError: there is no such manager, or making it fails.
    """
    if not isinstance(spec, str):
        if isinstance(spec, Manager):
            return spec
        raise UsageError(f"expected a manager name or an object with start() and respond(), got {spec!r}")
    name, _, rest = spec.partition(":")
    if rest and name not in known(MANAGERS):
        return _made(_imported(name, rest, "manager", MANAGERS), Manager, spec, "name, start() and respond()")  # type: ignore[no-any-return]
    factory = load(MANAGERS, name, "manager")
    if rest:
        return factory(rest)  # type: ignore[no-any-return]
    return factory(llm) if name in VOICED else factory()  # type: ignore[no-any-return]


AUTO: Final = "auto"
"""The reader that suits whoever writes; see ``reader_for``."""


@cache
def _shared_reader(name: str) -> Reader:
    kind, _, argument = name.partition(":")
    if argument and kind not in known(READERS):
        return _made(_imported(kind, argument, "reader", READERS), Reader, name, "name and read()")  # type: ignore[no-any-return]
    factory = load(READERS, kind, "reader")
    made = factory(argument) if argument else factory()
    if not isinstance(made, Reader):
        raise UsageError(f"expected entry point {name!r} of {READERS} to make an object with name and read()")
    return made


def load_reader(spec: object) -> Reader:
    """Return a reader: ``"rules[:claims]"``, ``"encoder[:FOLDER]"``, ``"module:Class"``, or the object given.

    By name it is one object a process.

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


def _files_of(spec: str) -> tuple[tuple[str, int], ...]:
    """Return the files that a spec names, with their times of change: another file by that name is another reward."""
    paths = [Path(part) for part in re.split(r"[=:,;+]", spec) if part]
    return tuple((str(path.resolve()), path.stat().st_mtime_ns) for path in paths if path.is_file())


@cache
def _shared_reward(spec: str, files: tuple[tuple[str, int], ...]) -> Reward:
    name, _, rest = spec.partition(":")
    if rest and name not in known(REWARDS):
        return _as_reward(_imported(name, rest, "reward", REWARDS), spec)
    factory = load(REWARDS, name, "reward")
    return factory(rest) if rest else factory()  # type: ignore[no-any-return]


def load_reward(spec: object) -> Reward:
    """Return a reward: by name, or the object or plain function given.

    ``"repo"``, ``"repo:n=25"``, ``"outcome"``, ``"module:function"`` or ``"module:Class"`` (by name it is one object a
    process and spec). A function takes a ``ReplyView`` and returns a number, see ``own_parts.FunctionReward``.

    Raises:
        UsageError: there is no such reward, or making it fails.
    """
    return _shared_reward(spec, _files_of(spec)) if isinstance(spec, str) else _as_reward(spec, spec)


def _as_reward(found: object, spec: object) -> Reward:
    """Return a reward, or a function or class that makes one, as a reward."""
    if isinstance(found, type):
        return _made(found, Reward, spec, "score() and score_features()")  # type: ignore[no-any-return]
    if isinstance(found, Reward):
        return found
    if callable(found):
        return FunctionReward(found)
    raise UsageError(
        "expected a reward's name, a function of a ReplyView, or an object with score() and score_features(), "
        f"got {spec!r}"
    )


def policy_label(spec: str) -> str:
    """Return a policy's name in reports: the option ``name`` of its spec, else the spec."""
    return str(split_spec(spec).options.get("name", spec))


def load_policy(spec: object) -> Policy:
    """Return a policy: a registered name, ``NAME:ARGUMENT``, an engine spec, ``module:Class``, or the object given.

    A spec may have options (``?max_tokens=512&name=mine``, see ``policies.chat.ChatOptions``): ``name`` is every
    policy's; a factory that takes ``options`` is handed the others.

    Raises:
        UsageError: there is no such policy, it takes no such option, or making it fails.
    """
    if not isinstance(spec, str):
        if isinstance(spec, Policy):
            return spec
        raise UsageError(f"expected a policy spec or an object with name and reply(), got {spec!r}")
    head, options = split_spec(spec)
    name, _, rest = head.partition(":")
    if name in KINDS:  # a chat policy plays any engine
        return load(POLICIES, "chat", "policy")(spec)  # type: ignore[no-any-return]
    own_name = options.pop("name", None)
    if name in _points(POLICIES):
        factory, arguments = load(POLICIES, name, "policy"), [rest] if rest else []
    elif rest:
        factory, arguments = _imported(name, rest, "policy", POLICIES), []
    else:
        raise UsageError(f"expected a policy spec, got {spec!r}.{did_you_mean(head, known(POLICIES))}")
    if options and not (callable(factory) and "options" in signature(factory).parameters):
        raise UsageError(f"policy {head}: expected no options but name, got {', '.join(options)}: leave them out")
    if arguments or options:
        factory = partial(factory, *arguments, **({"options": options} if options else {}))
    policy: Policy = _made(factory, Policy, head, "name and reply()")
    if own_name is not None:
        policy.name = own_name
    return policy


def _imported(module: str, name: str, what: str, group: str) -> Any:
    """Return ``name`` of a user's module, which may lie in the working folder; the folder stays on Python's path.

    Raises:
        UsageError: there is no such module or name, or importing it fails.
    """
    expected = f"expected the name of a {what} or module:Name, got {module}:{name}"
    if not all(part.isidentifier() for part in module.split(".")):
        raise UsageError(f"{expected}.{did_you_mean(module, known(group))}")
    # Behind everything else: a file of the user's hides no installed package.
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109 - as Python's path has it
        sys.path.append(here)
    try:
        found = import_module(module)
    except Exception as error:  # importing a user's module runs its code
        hint = did_you_mean(module, known(group)) if isinstance(error, ModuleNotFoundError) else ""
        raise UsageError(f"{expected} ({error_line(error)}).{hint}") from error
    if not hasattr(found, name):
        names = [key for key in vars(found) if not key.startswith("_")]
        place = getattr(found, "__file__", None) or module
        raise UsageError(f"{expected}, which {place} does not have.{did_you_mean(name, names)}")
    return getattr(found, name)


def _made(found: Any, protocol: Any, spec: object, has: str) -> Any:
    """Return what a class or factory of the user's makes, or the object itself."""
    made = found
    if callable(found) and (isinstance(found, type) or not isinstance(found, protocol)):
        try:
            made = found()
        except NegotiationError:
            raise
        except Exception as error:
            raise UsageError(f"expected {spec} to make an object with {has}, got {error_line(error)}") from error
    if not isinstance(made, protocol):
        raise UsageError(f"expected {spec} to make an object with {has}, got {made!r}")
    return made
