"""What the table says in words: where REPO leads, where it does not, and what goes with that.

Every word follows from figures; the reasons are what stands beside a figure, and are no proof of a cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.methods.budget import Budget
from benchmarks.methods.figures import REWARD, Column, Gap, Seeds, Spread, average, gap, over_seeds
from benchmarks.report import format_figure
from benchmarks.statistics import Figure

TIE = 1e-9


class Row(NamedTuple):
    """One method's results.

    Attributes:
        title: for people.
        seeds: scores by training seed.
        budgets: of the trainings; empty for the base.
        stopped: how many trainings a guard stopped.
    """

    title: str
    seeds: Seeds
    budgets: Sequence[Budget]
    stopped: int = 0


def sentences(rows: Mapping[str, Row], columns: Sequence[Column], own: str = "repo") -> list[str]:
    """Return one sentence for each column in which the method ``own`` does not lead, and one on those where it does.

    Args:
        rows: methods by name; ``own`` must be among them.
        columns: those whose ``better`` is 0 are left out.
        own: the method that is spoken of.
    """
    leads, lags = [], []
    for column in (c for c in columns if c.better):
        spreads = {name: over_seeds(row.seeds, column) for name, row in rows.items()}
        known = {name: s for name, s in spreads.items() if s.figure.value is not None}
        if own not in known or len(known) < 2:
            continue
        order = sorted(known, key=lambda name: column.better * _value(known[name]), reverse=True)
        rival = next(name for name in order if name != own)
        found = gap(rows[rival].seeds, rows[own].seeds, column)
        ahead = column.better * (_value(known[own]) - _value(known[rival]))
        if ahead > TIE:
            sure = found is not None and found.apart == column.better
            leads.append(f"{column.title} ({'beyond chance' if sure else 'within chance'} of {rows[rival].title})")
        else:
            place = 1 + sum(column.better * (_value(known[n]) - _value(known[own])) > TIE for n in known)
            lags.append(_lag(rows, known, column, own, rival, found, place))
    title = rows[own].title
    if leads:
        return [f"{title} leads in {len(leads)} of {len(leads) + len(lags)} columns: {'; '.join(leads)}.", *lags]
    return [f"{title} leads in none of {len(lags)} columns.", *lags] if lags else []


def _lag(
    rows: Mapping[str, Row],
    known: Mapping[str, Spread],
    column: Column,
    own: str,
    rival: str,
    found: Gap | None,
    place: int,
) -> str:
    """Say that a method does not lead in a column, by how much, and what goes with it."""
    mine, theirs = (_told(column, known[name].figure) for name in (own, rival))
    if place == 1:
        equals = [rows[n].title for n in known if n != own and abs(_value(known[n]) - _value(known[own])) <= TIE]
        return f"{column.title}: {rows[own].title} ties with {', '.join(equals)} at {mine}."
    text = f"{column.title}: {rows[rival].title} leads with {theirs}, {rows[own].title} is number {place} with {mine}"
    if found is None:
        return f"{text}; no test can be had."
    between = "" if found.low is None else f" [{_plain(column, found.low)}, {_plain(column, found.high)}]"
    text += f"; difference {_plain(column, found.value)}{between}"
    if found.apart != -column.better:
        return f"{text}, which {_size(rows, own)} cannot tell from chance."
    reasons = "; ".join(_reasons(rows, known, column, own, rival))
    return f"{text}, beyond chance. What goes with it: {reasons}."


def _reasons(rows: Mapping[str, Row], known: Mapping[str, Spread], column: Column, own: str, rival: str) -> list[str]:
    """Return what the figures show beside a gap; at least one entry."""
    mine, title = rows[own], rows[own].title
    reasons = []
    if mine.stopped:
        reasons.append(f"{mine.stopped} of {len(mine.budgets)} {title} runs were stopped by a guard")
    values = known[own].by_seed.values()
    best = max(values, key=lambda v: column.better * v) if values else None
    if best is not None and column.better * (best - _value(known[rival])) >= 0.0:
        low, high = _plain(column, min(values)), _plain(column, max(values))
        reasons.append(f"its seeds lie between {low} and {high}, the best at or above {rows[rival].title}'s mean")
    if column.key != REWARD.key:
        reasons += _by_reward(rows, own, rival)
    late = average([b.best for b in mine.budgets])
    if late is not None and late > 0.8:
        reasons.append(f"its best checkpoints lie at {100 * late:.0f}% of training on average, so it was still rising")
    elif late is not None and late < 0.2:
        reasons.append(f"its best checkpoints lie at {100 * late:.0f}% of training on average: it soon rose no more")
    return reasons or ["nothing that is measured here"]


def _by_reward(rows: Mapping[str, Row], own: str, rival: str) -> list[str]:
    """Say whether the reward that the method learns from goes the column's way."""
    spreads = [over_seeds(rows[name].seeds, REWARD).figure for name in (own, rival)]
    if any(found.value is None for found in spreads):
        return []
    found = gap(rows[rival].seeds, rows[own].seeds, REWARD)
    mine, theirs = (_told(REWARD, f) for f in spreads)
    told = f"R_total {mine} against {theirs}"
    if found is not None and found.apart > 0:
        return [f"it earns more of the reward it learns from ({told}), and that reward does not pay for this"]
    if found is not None and found.apart < 0:
        return [f"it earns less of its own reward as well ({told})"]
    return [f"the two earn the same of the composed reward within chance ({told})"]


def _size(rows: Mapping[str, Row], own: str) -> str:
    seeds = len(rows[own].seeds)
    return f"{seeds} training run{'s' if seeds != 1 else ''} on these scenarios"


def _value(spread: Spread) -> float:
    value = spread.figure.value
    return 0.0 if value is None else value


def _told(column: Column, found: Figure) -> str:
    return format_figure(column.metric, found)


def _plain(column: Column, value: float | None) -> str:
    return format_figure(column.metric, Figure(value, None, None, 1))
