"""``table.json``: everything that the comparison found, made of the runs' folders, with sentences on where REPO leads.

Every word of the sentences follows from figures; the reasons are what stands beside a figure, and are no proof of a
cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.comparison.paired_policies import rounded
from benchmarks.metrics.observations import Score
from benchmarks.report import format_figure
from benchmarks.runner.provenance import VERSIONS, commit_of_sources
from benchmarks.statistics import Figure
from benchmarks.studies.methods.experiment import START_SEED, Experiment
from benchmarks.studies.methods.runs import (
    BASE,
    FIELDS,
    METHODS,
    REPO,
    SFT,
    STOPPED,
    Budget,
    Run,
    Variant,
    average_budget,
    budget,
    differences,
    outcome,
)
from benchmarks.studies.methods.seed_figures import (
    COLUMNS,
    MODEL,
    REWARD,
    Column,
    Gap,
    Seeds,
    Spread,
    StartCheck,
    average,
    checks,
    correlation,
    gap,
    on_these_cases,
    over_seeds,
    verdict,
)
from benchmarks.studies.methods.work import Evaluation, faults_of, is_measured, scores_of
from negotiation_env import __version__
from negotiation_env.training.run_folder import provenance

TIE = 1e-9


class MethodRow(NamedTuple):
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


def sentences(rows: Mapping[str, MethodRow], columns: Sequence[Column], own: str = "repo") -> list[str]:
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
    rows: Mapping[str, MethodRow],
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


def _reasons(
    rows: Mapping[str, MethodRow], known: Mapping[str, Spread], column: Column, own: str, rival: str
) -> list[str]:
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


def _by_reward(rows: Mapping[str, MethodRow], own: str, rival: str) -> list[str]:
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


def _size(rows: Mapping[str, MethodRow], own: str) -> str:
    seeds = len(rows[own].seeds)
    return f"{seeds} training run{'s' if seeds != 1 else ''} on these scenarios"


def _value(spread: Spread) -> float:
    value = spread.figure.value
    return 0.0 if value is None else value


def _told(column: Column, found: Figure) -> str:
    return format_figure(column.metric, found)


def _plain(column: Column, value: float | None) -> str:
    return format_figure(column.metric, Figure(value, None, None, 1))


Table = dict[str, Any]


class MeasuredRun(NamedTuple):
    """A run with its figures."""

    run: Run
    scores: Sequence[Score]
    budget: Budget | None


def make_table(experiment: Experiment, command: str, jobs: int) -> Table:
    """Return the table of all runs that are there, of this command and of earlier ones into the same folder."""
    found = experiment.found_runs()
    counted = [run for run in found if _counts(run, experiment.evaluation)]
    runs = [MeasuredRun(run, scores_of(run), budget(run)) for run in counted]
    rows = {variant: _row(variant, [m for m in runs if m.run.variant == variant], found) for variant in METHODS}
    rows = {variant: row for variant, row in rows.items() if row.seeds}
    start = next((m for m in runs if m.run.variant == SFT and m.run.seed == START_SEED), None)
    checked = checks(start.scores, rows[REPO].seeds) if start is not None and REPO in rows else []
    return {
        "provenance": _provenance(experiment, command, jobs),
        "columns": {column.key: column._asdict() for column in COLUMNS},
        "methods": {variant.name: _method(row) for variant, row in rows.items()},
        "sentences": sentences({v.name: row for v, row in rows.items()}, COLUMNS) if REPO in rows else [],
        "checks": [_check(check, runs) for check in checked],
        "verdict": verdict(checked) if checked else "",
        "on_these_cases": _on_these_cases(start.scores, rows[REPO].seeds) if start is not None and checked else None,
        "ablations": _ablations(experiment, runs, found),
        "stopped": [_stopped(run) for run in found if (end := outcome(run)) is not None and end.status == STOPPED],
        "given": next((str(m.run.given) for m in runs if m.run.given is not None), ""),
        "left_out": [run.name for run in found if run not in counted],
        "faults": sum(faults_of(m.run) for m in runs),
    }


def _counts(run: Run, evaluation: Evaluation) -> bool:
    """Whether a folder holds this very run, with a policy that was measured as this comparison measures."""
    if differences(run):
        return False
    found = outcome(run)
    has_policy = found is not None and (run.variant == BASE or found.adapter is not None)
    return has_policy and is_measured(run, evaluation)


def _row(variant: Variant, runs: Sequence[MeasuredRun], found: Sequence[Run]) -> MethodRow:
    ends = [outcome(run) for run in found if run.variant == variant]
    return MethodRow(
        variant.title,
        {m.run.seed: m.scores for m in runs},
        [m.budget for m in runs if m.budget is not None],
        sum(end is not None and end.status == STOPPED for end in ends),
    )


def _method(row: MethodRow) -> Table:
    spreads = {column.key: over_seeds(row.seeds, column) for column in COLUMNS}
    return {
        "title": row.title,
        "seeds": sorted(row.seeds),
        "stopped": row.stopped,
        "figures": {
            key: {**spread.figure.to_json(), "by_seed": {str(s): rounded(v) for s, v in spread.by_seed.items()}}
            for key, spread in spreads.items()
        },
        "model_with_total": rounded(correlation(row.seeds, MODEL, REWARD)),
        "budget": {name: average_budget(row.budgets, name) for name in FIELDS} if row.budgets else None,
        "resumed": sum((b.processes or 1) > 1 for b in row.budgets),
    }


def _check(check: StartCheck, runs: Sequence[MeasuredRun]) -> Table:
    own = next(m.budget for m in runs if m.run.variant == REPO and m.run.seed == check.seed)
    return {
        "seed": check.seed,
        "column": check.column.key,
        "start": check.start.to_json(),
        "figure": check.figure.to_json(),
        "apart": check.apart,
        "difference": _gap(check.difference),
        "seconds": None if own is None else own.seconds,
    }


def _on_these_cases(start: Sequence[Score], seeds: Seeds) -> Table:
    found = on_these_cases(start, seeds)
    return {"start": found.start.to_json(), "figure": found.figure.to_json(), "apart": found.apart}


def _ablations(experiment: Experiment, runs: Sequence[MeasuredRun], found: Sequence[Run]) -> Table:
    """Return REPO and its ablations on the seeds that each ablation shares with REPO; empty where there is none."""
    repo = {m.run.seed: m for m in runs if m.run.variant == REPO}
    table: Table = {}
    for variant in experiment.ablations():
        own = [m for m in runs if m.run.variant == variant]
        shared = {m.run.seed: repo[m.run.seed].scores for m in own if m.run.seed in repo}
        if not own:
            continue
        row = _row(variant, own, found)
        gaps = {column.key: gap(shared, row.seeds, column) if shared else None for column in COLUMNS}
        table[variant.name] = {
            **_method(row),
            "overrides": list(variant.overrides),
            "less_repo": {key: _gap(value) for key, value in gaps.items()},
        }
    if not table:
        return {}
    seeds = {seed for row in table.values() for seed in row["seeds"]}
    whole = [m for seed, m in repo.items() if seed in seeds]
    reference = _row(REPO, whole, [m.run for m in whole])
    return {"reference": _method(reference), "variants": table}


def _gap(found: Gap | None) -> Table | None:
    if found is None:
        return None
    return {"value": rounded(found.value), "low": rounded(found.low), "high": rounded(found.high), "apart": found.apart}


def _stopped(run: Run) -> Table:
    end = outcome(run)
    return {
        "run": run.name,
        "reason": "" if end is None else end.reason,
        "measured": end is not None and end.adapter is not None,
    }


def _provenance(experiment: Experiment, command: str, jobs: int) -> Table:
    commit, changed = commit_of_sources()
    evaluation = experiment.evaluation
    return {
        "command": command,
        "version": __version__,
        "commit": commit,
        "uncommitted_changes": changed,
        "scale": experiment.scale,
        "overrides": list(experiment.overrides),
        "dialogues": evaluation.dialogues,
        "trials": evaluation.trials,
        "jobs": jobs,
        "versions": dict(VERSIONS),
        "raters": "automated checks and raters only; no human rater",
        "made_with": provenance(),
    }


def figure_of(row: Mapping[str, Any], column: Column) -> Figure:
    """Return a figure of ``table.json``'s row."""
    return Figure.from_json({k: v for k, v in row["figures"][column.key].items() if k != "by_seed"})
