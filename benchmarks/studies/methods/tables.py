"""``table.md``: the tables of ``table.json`` for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.report import format_figure
from benchmarks.statistics import Figure
from benchmarks.studies.methods.results import figure_of
from benchmarks.studies.methods.runs import FIELDS, REPO, SFT
from benchmarks.studies.methods.seed_figures import CLEAN, COLUMNS, MODEL, OWN, PAPER, REWARD, Column

_APART: Final = {1: "above", 0: "meet", -1: "below"}
_ABLATED: Final = (REWARD, *OWN[1:5], *PAPER)
"""What the ablations' table shows."""
_FOLLOWS: Final = f"correlation of {MODEL.title} and {REWARD.title}, over dialogues"


def markdown(table: Mapping[str, Any]) -> str:
    """Return the whole page."""
    ablated = bool(table["ablations"])
    rivals = set(table["methods"]) - {SFT.name, REPO.name}
    parts = [_head(table["provenance"], table, "All methods" if rivals or not ablated else "REPO and its ablations")]
    if rivals or (table["methods"] and not ablated):
        parts += [_methods(table), _sentences(table)]
    if ablated:
        parts.append(_ablations(table))
    if table["methods"]:
        parts.append(_budgets(table))
    if table["checks"]:
        parts.append(_checks(table))
    return "\n\n".join([*parts, _notes(table)]) + "\n"


def _head(record: Mapping[str, Any], table: Mapping[str, Any], title: str) -> str:
    commit = (record["commit"] or "unknown")[:12] + (
        " with uncommitted changes" if record["uncommitted_changes"] else ""
    )
    rows = [*table["methods"].values(), *table["ablations"].get("variants", {}).values()]
    seeds = {row["title"]: len(row["seeds"]) for row in rows}
    told = ", ".join(f"{title} {count}" for title, count in seeds.items())
    return (
        f"# {title} at scale {record['scale']}\n\n"
        f"`{record['command']}`, commit {commit}, {record['made_with']['machine']}. "
        f"Training seeds: {told or 'none yet'}.\n\n"
        "Hotels and annotators are simulated, raters automated. Brackets hold 95% intervals: by scenario, the seeds of "
        "one scenario as one cluster, widened by the spread between training seeds (Student)."
    )


def _methods(table: Mapping[str, Any]) -> str:
    rows = list(table["methods"].values())
    record = table["provenance"]
    heading = ["", *(row["title"] for row in rows)]

    def block(columns: Sequence[Column]) -> list[list[str]]:
        return [[column.title, *(_cell(row, column) for row in rows)] for column in columns]

    live = [c for c in OWN if c.suite != "online"]
    skills = [c for c in OWN if c.suite == "online"]
    return "\n\n".join([
        "## The paper's table",
        f"30 online dialogues and 45 bad cases, {record['trials']} trial(s) each.",
        _grid(heading, block(PAPER)),
        f"On {record['dialogues']} held-out dialogues (composed reward, whichever one trained the policy):",
        _grid(heading, [*block(live), [_FOLLOWS, *map(_follows, rows)]]),
        "Replies of the online dialogues that show a skill:",
        _grid(heading, block(skills)),
    ])  # fmt: skip


def _sentences(table: Mapping[str, Any]) -> str:
    lines = [f"- {sentence}" for sentence in table["sentences"]]
    return "\n".join(
        ["### Where REPO leads and where it does not", "", *(lines or ["REPO has not been measured yet."])]
    )


def _budgets(table: Mapping[str, Any]) -> str:
    rows = [row for row in table["methods"].values() if row["budget"]]
    if table["ablations"]:
        rows += [row for row in table["ablations"]["variants"].values() if row["budget"]]
    cells = [[row["title"], *(_spent(name, row["budget"][name]) for name in FIELDS)] for row in rows]
    return "\n\n".join([
        "## Budget",
        _grid(["mean of a training run (least - most)", *FIELDS.values()], cells),
        "Replies and tokens sampled are those trained on. Tokens trained count prompts, and each model's passes: the "
        "value model of PPO and REPO sees every token a second time. Seconds and memory are of each run's own process, "
        f"libraries, data and held-out measurements included, {table['provenance']['jobs']} at a time. DPO, PPO, GRPO "
        "and REPO start from one SFT adapter, whose training is not in their rows.",
    ])  # fmt: skip


def _checks(table: Mapping[str, Any]) -> str:
    lines = []
    by_key = {column.key: column for column in COLUMNS}
    for check in table["checks"]:
        column = by_key[check["column"]]
        lines.append([
            str(check["seed"]),
            column.title,
            format_figure(column.metric, Figure.from_json(check["start"])),
            format_figure(column.metric, Figure.from_json(check["figure"])),
            _APART[check["apart"]],
            _difference(column, check["difference"]),
            "–" if check["seconds"] is None else f"{check['seconds'] / 60.0:.1f}",
        ])  # fmt: skip
    heading = ["seed", "", "SFT start", "REPO", "intervals", "difference, paired", "training, min"]
    parts = ["## REPO against the SFT adapter that it starts from", _grid(heading, lines), table["verdict"]]
    return "\n\n".join([*parts, _fixed(table["on_these_cases"])])


def _fixed(found: Mapping[str, Any]) -> str:
    """Return what is told of the bad cases as a fixed suite."""
    start, after = (format_figure(CLEAN.metric, Figure.from_json(found[key])) for key in ("start", "figure"))
    return (
        "The intervals above are for bad cases of the kind. For these very cases, by the differences between trials "
        f"and between training runs: {CLEAN.title} {start} at the start, {after} with REPO (mean of its runs), "
        f"intervals {_APART[found['apart']]}."
    )


def _ablations(table: Mapping[str, Any]) -> str:
    found, record = table["ablations"], table["provenance"]
    reference, variants = found["reference"], list(found["variants"].values())
    rows = [(f"{reference['title']} (n = 100)", reference), *((row["title"], row) for row in variants)]
    if (start := table["methods"].get(SFT.name)) is not None:
        rows.insert(0, (f"{start['title']}, the start" if len(start["seeds"]) == 1 else start["title"], start))
    lines = [[title, _seeds(row), *(_cell(row, c) for c in _ABLATED), _follows(row)] for title, row in rows]
    gaps = []
    for row in variants:
        told = [_difference(c, row["less_repo"][c.key]) for c in (REWARD, CLEAN)]
        gaps.append([row["title"], *told, _changes(row)])
    return "\n\n".join([
        "## Ablations of REPO",
        f"{record['dialogues']} held-out dialogues, 30 online dialogues and 45 bad cases, {record['trials']} trial(s) "
        "each of the latter two.",
        _grid(["", "seeds", *(column.title for column in _ABLATED), _FOLLOWS], lines),
        "Each less REPO on the same seeds, paired by scenario. Checkpoints are chosen by the reward that the run "
        "learns from; all figures are of the composed reward.",
        _grid(["", REWARD.title, CLEAN.title, "other columns whose interval leaves 0 out"], gaps),
    ])  # fmt: skip


def _changes(row: Mapping[str, Any]) -> str:
    """Return the columns in which an ablation differs from REPO beyond chance."""
    found = []
    for column in COLUMNS:
        gap = row["less_repo"][column.key]
        if column not in (REWARD, CLEAN) and gap is not None and gap["apart"]:
            found.append(f"{column.title} {_difference(column, gap)}")
    return "; ".join(found) or "none"


def _notes(table: Mapping[str, Any]) -> str:
    notes = []
    if table["given"]:
        notes.append("SFT's run 0, the start of all others, was trained elsewhere: it is in no budget.")
    for stop in table["stopped"]:
        kept = "its last good checkpoint is measured" if stop["measured"] else "it left no checkpoint"
        notes.append(f"{stop['run']} was stopped by a guard ({stop['reason']}); {kept}.")
    resumed = sum(row["resumed"] for row in table["methods"].values())
    if resumed:
        notes.append(f"{resumed} training run(s) were resumed after a kill: their seconds hold some work twice.")
    if table["left_out"]:
        notes.append(f"Not finished, or measured in another way, and left out: {'; '.join(table['left_out'])}.")
    if table["faults"]:
        notes.append(f"{table['faults']} episode(s) were spoiled by a fault of the engine and are in no figure.")
    notes.append(
        "The best checkpoint of each run is what is measured: SFT's and DPO's by held-out loss, the others' by "
        "the mean of the reward that each learns from on held-out dialogues that no table uses."
    )
    return "\n".join(["## Notes", "", *(f"- {note}" for note in notes)])


def _cell(row: Mapping[str, Any], column: Column) -> str:
    return format_figure(column.metric, figure_of(row, column))


def _follows(row: Mapping[str, Any]) -> str:
    """Return how closely R_total follows the reward model alone."""
    found = row["model_with_total"]
    return "–" if found is None else f"{found:.3f}"


def _difference(column: Column, gap: Mapping[str, Any] | None) -> str:
    if gap is None:
        return "–"
    return format_figure(column.metric, Figure(gap["value"], gap["low"], gap["high"], 1))


def _seeds(row: Mapping[str, Any]) -> str:
    return str(len(row["seeds"]))


def _spent(name: str, found: Mapping[str, float] | None) -> str:
    if found is None:
        return "–"
    pattern = "{:.0%}" if name == "best" else "{:,.0f}"
    mean, least, most = (pattern.format(found[key]) for key in ("mean", "least", "most"))
    return mean if least == most else f"{mean} ({least} - {most})"


def _grid(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(heading), ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
