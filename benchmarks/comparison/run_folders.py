"""Compares the runs of two folders: refuses runs that are not comparable, and tests differences on common cases.

Two runs are comparable if version, manager, readers of common policies, rules of manager, rewards and raters, content
of common suites, and seed plan agree. Another commit, package or machine is only told. Reads reports and scores; plays
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from benchmarks.comparison.flips import Flip, flips
from benchmarks.comparison.paired_policies import compare_metric, corrected, difference_json, shared
from benchmarks.metrics.observations import SCORES, Score, read_scores
from benchmarks.metrics.policy_metrics import METRICS
from benchmarks.report import REPORT_JSON
from benchmarks.runner.jobs import AB
from benchmarks.runner.provenance import IDENTITY
from benchmarks.statistics import Figure
from negotiation_env.errors import NegotiationError, UsageError, did_you_mean
from negotiation_env.files import parse, read_json

NOTED: Final = ("commit", "uncommitted_changes", "python", "packages", "platform", "trials")
"""Parts of the provenance in which runs may differ; a difference is told."""


class NotComparableError(NegotiationError):
    """Two runs were made under different conditions."""


@dataclass(frozen=True, slots=True)
class BenchmarkFolder:
    """A run's report and scores, as read from its folder."""

    path: Path
    report: Mapping[str, Any]
    scores: Sequence[Score]

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the run was made with."""
        found: Mapping[str, Any] = self.report["provenance"]
        return found

    @property
    def policies(self) -> list[str]:
        """The policies' names, in the order of the run."""
        return list(self.report["policies"])


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two runs say of pairs of policies.

    Attributes:
        rows: by pair and metric, on common cases and trials: value (second less first), low, high, p, p_holm, test, n.
        unpaired: metrics without paired scores: both figures, for reading side by side; no test.
        obstacles: why the runs are not comparable; empty if they are.
        notes: differences that do not stand in the way.
        flips: scripted cases that one side fixes and the other does not.
    """

    rows: list[dict[str, Any]]
    unpaired: list[dict[str, Any]]
    obstacles: list[str]
    notes: list[str]
    flips: list[Flip]

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON-able data, marked where the runs are not comparable."""
        return {
            "comparable": not self.obstacles,
            "obstacles": self.obstacles,
            "notes": self.notes,
            "tests": self.rows,
            "unpaired": self.unpaired,
            "flips": [asdict(flip) for flip in self.flips],
        }


class _ReportFile(BaseModel):
    """What a report must hold to be compared."""

    policies: dict[str, Any]
    provenance: dict[str, Any]


def read_run(path: Path) -> BenchmarkFolder:
    """Read a run's folder.

    Raises:
        DataFileError: it holds no whole run of this version of the format.
    """
    report = read_json(path / REPORT_JSON, dict[str, Any], "name a benchmark's folder")
    parse(_ReportFile, report, str(path / REPORT_JSON), "name a benchmark's folder")
    return BenchmarkFolder(path, report, read_scores(path / SCORES))


def obstacles(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return why two runs' provenances are not comparable; empty if they are."""
    found = [
        f"{what}: {first.get(part)} and {second.get(part)}"
        for part, what in IDENTITY.items()
        if first.get(part) != second.get(part)
    ]
    mine, theirs = first.get("suites", {}), second.get("suites", {})
    common = [name for name in mine if name in theirs]
    if not common:
        found.append(f"no suite in common: {', '.join(mine)} and {', '.join(theirs)}")
    found += [f"content of suite {name}" for name in common if mine[name] != theirs[name]]
    read, other = first.get("readers", {}), second.get("readers", {})
    found += [
        f"reader of {name}: {label} and {other[name]}"
        for name, label in read.items()
        if other.get(name, label) != label
    ]
    return found


def differences_noted(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return the differences between two provenances that do not stand in the way."""
    return [
        f"{part}: {first.get(part)} and {second.get(part)}" for part in NOTED if first.get(part) != second.get(part)
    ]


def pairs_of(
    first: BenchmarkFolder, second: BenchmarkFolder, policy_a: str | None, policy_b: str | None
) -> list[tuple[str, str]]:
    """Return which policy of the first run is compared with which of the second.

    Named ones; else those that both runs have; else the only one of each.

    Raises:
        UsageError: a name is unknown, or it does not follow which ones are meant.
    """
    for run, name in ((first, policy_a), (second, policy_b)):
        if name is not None and name not in run.policies:
            raise UsageError(f"expected a policy of {run.path}, got {name!r}.{did_you_mean(name, run.policies)}")
    if policy_a is not None or policy_b is not None:
        mine = [policy_a] if policy_a is not None else first.policies
        theirs = [policy_b] if policy_b is not None else second.policies
        return [(a, b) for a in mine for b in theirs]
    common = [(name, name) for name in first.policies if name in second.policies]
    if common:
        return common
    if len(first.policies) == len(second.policies) == 1:
        return [(first.policies[0], second.policies[0])]
    raise UsageError(
        f"expected runs with a policy in common or one each, got {first.policies} and {second.policies}: "
        "choose with --policy-a and --policy-b"
    )


def compare_runs(
    first: BenchmarkFolder,
    second: BenchmarkFolder,
    *,
    policy_a: str | None = None,
    policy_b: str | None = None,
    force: bool = False,
    seed: int = 0,
) -> Comparison:
    """Compare two runs on the cases and trials that both played.

    See ``comparisons.corrected`` for the correction for many tests.

    Raises:
        NotComparableError: the runs are not comparable, and ``force`` is not set.
        UsageError: it does not follow which policies are meant.
    """
    hindered = obstacles(first.provenance, second.provenance)
    if hindered and not force:
        raise NotComparableError(
            f"expected two comparable runs, got other conditions ({'; '.join(hindered)}): run one again, "
            "or --force to compare all the same"
        )
    rows: list[dict[str, Any]] = []
    unpaired: list[dict[str, Any]] = []
    pairs = pairs_of(first, second, policy_a, policy_b)
    for name_a, name_b in pairs:
        mine, theirs = shared(_own(first, name_a), _own(second, name_b))
        for metric in METRICS:
            base = {"metric": metric, "first": name_a, "second": name_b}
            found = compare_metric(mine, theirs, metric, seed)
            if found is not None:
                rows.append({**base, **difference_json(found)})
            elif (both := _figures(first, name_a, second, name_b, metric)) is not None:
                unpaired.append({**base, **both})
    notes = differences_noted(first.provenance, second.provenance)
    return Comparison(corrected(rows), unpaired, hindered, notes, flips(first, second, pairs))


def _own(run: BenchmarkFolder, policy: str) -> list[Score]:
    """Return a policy's scores; A/B conversations are of one arm only and cannot be paired."""
    return [s for s in run.scores if s.policy == policy and s.suite != AB]


def _figures(first: BenchmarkFolder, a: str, second: BenchmarkFolder, b: str, metric: str) -> dict[str, Any] | None:
    """Return two figures side by side; None where a run has none."""
    records = [run.report["policies"][name]["metrics"].get(metric) for run, name in ((first, a), (second, b))]
    if any(record is None or Figure.from_json(record).value is None for record in records):
        return None
    return {"first_figure": records[0], "second_figure": records[1]}
