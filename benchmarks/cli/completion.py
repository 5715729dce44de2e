"""What the shell offers on Tab: names of policies, suites, personas and presets.

``negotiate --install-completion`` sets it up, once for each shell. Names come from the entry points, so plug-ins' are
among them; options that take a list complete its last part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import typer


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _registered(group: str) -> Callable[[str], list[str]]:
    """Return what completes a name of an entry-point group."""

    def names(incomplete: str) -> list[str]:
        return _starting(_known(group), incomplete)

    return names


def _registered_list(group: str) -> Callable[[str], list[str]]:
    """Return what completes the last of several names, by comma, with one that is not among them yet."""

    def names(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        taken = before.split(",")
        return [f"{before}{comma}{name}" for name in _starting(_known(group), last) if name not in taken]

    return names


def _known(group: str) -> tuple[str, ...]:
    from negotiation_env.play import registry

    return registry.known(f"negotiation_env.{group}")


policies = _registered_list("policies")
suites = _registered_list("suites")
managers = _registered("managers")


def readers(incomplete: str) -> list[str]:
    """Return readers' names, and the choice that suits whoever writes."""
    return _starting(("auto", *_known("readers")), incomplete)


def personas(incomplete: str) -> list[tuple[str, str]]:
    """Return personas' names, each with who that is."""
    from simulators.personas import all_personas

    return [(p.name, p.title) for p in all_personas() if p.name.startswith(incomplete)]


def presets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the shipped presets of the method that is to be trained."""
    from importlib import resources

    method = ctx.info_name or ""
    names = {"ngram"} if method == "rm" else set()
    for package in ("policies", "rewards"):
        folder = resources.files(package) / "training" / "presets" / method
        if method and folder.is_dir():
            names |= {item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")}
    return _starting(sorted(names), incomplete)
