"""Where a step of the text environment spends its time: ``python -m benchmarks.speed --parts``.

The functions below are wrapped in a clock while recorded messages are played, so a part's figure holds the clock's
own tenth of a microsecond per call; what no part accounts for stands as "rest". Processor time, not time on the wall.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from rich.table import Table

import negotiation_env.env as scalar
import negotiation_env.exchange as steps
import negotiation_env.vector_env as batch
import simulators.rule_manager as manager
from rewards.distilled_judge import DistilledJudge
from rewards.preference import PreferenceModel
from rewards.repo import RepoReward
from rewards.rules import RuleReward

PARTS: tuple[tuple[str, tuple[tuple[object, str], ...]], ...] = (
    ("reading", ((steps, "_understand"),)),
    ("what the reply does", ((steps, "_take_in"),)),
    ("reward model", ((PreferenceModel, "score_batch"),)),
    ("judge", ((DistilledJudge, "judge"),)),
    ("rules", ((RuleReward, "score"),)),
    ("composition", ((RepoReward, "_compose"),)),
    ("game", ((steps, "apply_move"), (steps, "apply_decision"))),
    ("manager's decision", ((manager, "_decide"),)),
    ("manager's words", ((manager, "_in_words"),)),
    ("observation and info", ((scalar.TextLane, "take"), (scalar.TextLane, "observation"), (batch, "_column"))),
    ("new negotiations", ((scalar, "open_negotiation"), (batch, "open_negotiation"))),
)
"""Names of the parts, and the functions (owner, name) that each consists of; none calls another."""


def _clocked(function: Callable[..., Any], part: str, spent: dict[str, float]) -> Callable[..., Any]:
    """Return a function that adds the time it takes to ``spent[part]``, in seconds."""

    def clocked(*args: Any, **kwargs: Any) -> Any:
        start = time.thread_time()
        result = function(*args, **kwargs)
        spent[part] += time.thread_time() - start
        return result

    return clocked


def parts(play: Callable[[], int]) -> dict[str, float]:
    """Return microseconds per step by part, in order, then "rest" and "all". ``play`` plays steps, returns how many."""
    spent = dict.fromkeys((part for part, _ in PARTS), 0.0)
    with ExitStack() as patched:
        for part, functions in PARTS:
            for owner, name in functions:
                patched.enter_context(patch.object(owner, name, _clocked(getattr(owner, name), part, spent)))
        start = time.thread_time()
        count = play()
        whole = time.thread_time() - start
    spent["rest"] = whole - sum(spent.values())
    return {part: seconds / count * 1e6 for part, seconds in (*spent.items(), ("all", whole))}


def parts_table(columns: dict[str, dict[str, float]]) -> Table:
    """Return the parts' microseconds per step as a table, one column per environment."""
    table = Table("part", *columns, title="Microseconds per step of the text environment, by part")
    for part in next(iter(columns.values())):
        table.add_row(part, *(f"{column[part]:.1f}" for column in columns.values()))
    return table
