"""Plug-ins: a broken one is named in a warning and passed over, unless it is asked for by name."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import negotiation_env.play.registry as registry
import simulators.personas as personas
from negotiation_env.errors import UsageError
from simulators.managers.rule_manager import RuleManager

MODULE = """
from pathlib import Path

def mine():
    return [Path(__file__).with_name("mine.toml")]

def fails():
    raise OSError("no disk")

def no_file():
    return ["nowhere.toml"]
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Takes plug-ins' names and targets and announces them in every group."""
    (tmp_path / "plugin_parts.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "plugin_broken.py").write_text("1 / 0\n", encoding="utf-8")
    (tmp_path / "mine.toml").write_text('name = "mine"\n', encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    real = importlib.metadata.entry_points

    def announce(**targets: str) -> None:
        def points(group: str) -> list[EntryPoint]:
            return [*real(group=group), *(EntryPoint(name, value, group) for name, value in targets.items())]

        for module in (registry, personas):
            monkeypatch.setattr(module, "entry_points", points)
        registry._points.cache_clear()
        personas.all_personas.cache_clear()

    yield announce
    monkeypatch.undo()
    registry._points.cache_clear()
    personas.all_personas.cache_clear()
    personas._broken.clear()


def test_a_plugins_personas_are_found(plugins: Any) -> None:
    plugins(good="plugin_parts:mine")
    assert "mine" in {persona.name for persona in personas.all_personas()}


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ("plugin_broken:mine", "ZeroDivisionError"),
        ("no_such_plugin_module:mine", "no_such_plugin_module"),
        ("plugin_parts:none", "none"),
        ("plugin_parts:fails", "OSError: no disk"),
        ("plugin_parts:no_file", "nowhere.toml"),
    ],
)
def test_a_broken_one_is_named_and_passed_over(plugins: Any, target: str, cause: str) -> None:
    plugins(bad=target, good="plugin_parts:mine")
    with pytest.warns(personas.BrokenPluginWarning) as told:
        found = personas.all_personas()
    assert {"mine", "veteran-boulware"} <= {persona.name for persona in found}
    (warning,) = told
    assert all(part in str(warning.message) for part in ("'bad'", target, cause, "uninstall"))
    assert RuleManager().name == "rules"
    with pytest.raises(UsageError, match="Plug-in 'bad' was passed over"):
        personas.load_persona("bad")


@pytest.mark.parametrize(
    ("load", "what"),
    [
        (registry.load_policy, "policy"),
        (registry.load_reward, "reward"),
        (registry.load_manager, "manager"),
        (registry.load_reader, "reader"),
    ],
)
def test_a_broken_one_that_is_asked_for_is_told(plugins: Any, load: Any, what: str) -> None:
    plugins(bad="plugin_broken:Thing")
    assert "bad" in registry.known(f"negotiation_env.{what.replace('policy', 'policie')}s")
    with pytest.raises(UsageError) as error:
        load("bad")
    said = str(error.value)
    assert all(part in said for part in (what, "'bad'", "plugin_broken:Thing", "ZeroDivisionError", ".py:1"))
    assert load({"policy": "heuristic", "reward": "repo"}.get(what, "rules")) is not None


def test_a_file_by_the_same_name_elsewhere_is_another_reward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = '[[rule]]\nid = "{id}"\npoints = -1\nseverity = "minor"\nmessage = "m"\npattern = "x"\n'
    rule += 'yes = ["x"]\nno = ["y"]\n'
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        Path("rules.toml").write_text(rule.replace("{id}", name), encoding="utf-8")
        found.append(registry.load_reward("repo:rules=rules.toml"))
        assert registry.load_reward("repo:rules=rules.toml") is found[-1]
    assert found[0] is not found[1]
