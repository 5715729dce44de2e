"""``table.json``: everything that the comparison found, made of the runs' folders. Trains and plays nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.comparisons import rounded
from benchmarks.methods.budget import FIELDS, Budget, average_budget, budget
from benchmarks.methods.checks import Check, checks, on_these_cases, verdict
from benchmarks.methods.evaluation import Evaluation, faults_of, is_measured, scores_of
from benchmarks.methods.experiment import START_SEED, Experiment
from benchmarks.methods.figures import COLUMNS, MODEL, REWARD, Column, Gap, Seeds, correlation, gap, over_seeds
from benchmarks.methods.runs import STOPPED, Run, differences, outcome
from benchmarks.methods.sentences import Row, sentences
from benchmarks.methods.variants import BASE, METHODS, REPO, SFT, Variant
from benchmarks.observations import Score
from benchmarks.provenance import commit_of_sources, rule_digests
from benchmarks.statistics import Figure
from negotiation_env import __version__
from policies.training.run_files import provenance

Table = dict[str, Any]


class Measured(NamedTuple):
    """A run with its figures."""

    run: Run
    scores: Sequence[Score]
    budget: Budget | None


def make_table(experiment: Experiment, command: str, jobs: int) -> Table:
    """Return the table of all runs that are there, of this command and of earlier ones into the same folder."""
    found = experiment.found_runs()
    counted = [run for run in found if _counts(run, experiment.evaluation)]
    runs = [Measured(run, scores_of(run), budget(run)) for run in counted]
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


def _row(variant: Variant, runs: Sequence[Measured], found: Sequence[Run]) -> Row:
    ends = [outcome(run) for run in found if run.variant == variant]
    return Row(
        variant.title,
        {m.run.seed: m.scores for m in runs},
        [m.budget for m in runs if m.budget is not None],
        sum(end is not None and end.status == STOPPED for end in ends),
    )


def _method(row: Row) -> Table:
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


def _check(check: Check, runs: Sequence[Measured]) -> Table:
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


def _ablations(experiment: Experiment, runs: Sequence[Measured], found: Sequence[Run]) -> Table:
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
        "rules": dict(rule_digests()),
        "raters": "automated checks and raters only; no human rater",
        "made_with": provenance(),
    }


def figure_of(row: Mapping[str, Any], column: Column) -> Figure:
    """Return a figure of ``table.json``'s row."""
    return Figure.from_json({k: v for k, v in row["figures"][column.key].items() if k != "by_seed"})
