"""What each reward source sees in replies that authors wrote and graded: ``negotiate study rewards``.

Every reply is scored in the state of its turn and compared with the others of that turn alone: how often a source puts
the better grade first (a tie counts half), which flaws it notices, what the sources have to do with each other, whether
it prefers the true one of two replies that differ in one fact, and whether the same acts in the phrase book's words
beat what an author wrote. A flaw is noticed by the model or the total where the reply scores lower than the mean of its
turn's excellent replies by more than ``MARGINS``; by the judge where that holds of its points, or of one of its
dimensions against every excellent reply; by the rules where one of them fires. How often the same is said of an
excellent reply is ``false_notice``. Intervals are clustered by dialogue. What a reward was tuned on is not what it is
reported on: the corpus' test authors, or a file of one's own.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.statistics import NOTHING, Figure, correlation, mean, share
from benchmarks.studies.reading_quality import dialogues_of
from negotiation_env.language.reading import Reader, context_of
from negotiation_env.play.exchange import reply_in
from negotiation_env.play.protocols import ReplyView, Reward, RewardBreakdown
from negotiation_env.play.registry import AUTO, load_reader, load_reward, suited_reader
from rewards.repo import NEAR_ZERO
from simulators.people.graded_replies import EDITS, KINDS, EditedReply, Grade, GradedReply, edited_replies, graded_turns
from simulators.people.written_dialogues import WrittenDialogue
from simulators.people.written_messages import template_text

SOURCES: Final = ("model", "judge", "rules", "total")
ORDERS: Final[dict[str, tuple[Grade, Grade]]] = {
    "excellent_flawed": ("excellent", "flawed"),
    "excellent_bland": ("excellent", "bland"),
    "bland_flawed": ("bland", "flawed"),
}
"""Which grade is to score above which."""
MARGINS: Final = {"model": 0.1, "total": 0.1, "judge": 5.0}
"""By how much a reply must score lower for its flaw to count as noticed; points for the judge."""
TARGETS: Final[dict[str, float]] = {
    "total excellent_flawed": 0.96, "total excellent_bland": 0.92, "total bland_flawed": 0.80, "total edits": 0.90,
    "model edits": 0.65, "total_with_model": 0.85, "reordered": 0.20, "excellent_negative": 0.15, "rule_wrong": 0.02,
    "length_with_model": 0.20, "template_wins": 0.50,
}  # fmt: skip
"""What the shipped reward is to reach on authors that nobody tuned it on."""
AT_MOST: Final = frozenset(
    ("model edits", "total_with_model", "excellent_negative", "rule_wrong", "length_with_model", "template_wins")
)


class ScoredReply(NamedTuple):
    """A graded reply and what a reward says of it."""

    reply: GradedReply
    scored: RewardBreakdown

    def value(self, source: str) -> float | None:
        """Return a source's score, None where it gave none."""
        found: float | None = getattr(self.scored, source)
        return found

    def fired(self) -> bool:
        """Whether a rule took points off."""
        return any(term.source == "rules" and term.points < 0.0 for term in self.scored.terms)

    def dimensions(self) -> dict[str, float]:
        """Return the judge's points by dimension."""
        return {term.id: term.points for term in self.scored.terms if term.source == "judge"}


Turn = Sequence[ScoredReply]
"""The replies to one state."""
Dialogues = Mapping[str, Sequence[Turn]]
"""Turns by dialogue: the clusters of every interval."""


def score_dialogues(dialogues: Iterable[WrittenDialogue], reward: Reward, reader: Reader) -> Dialogues:
    """Score every reply of written dialogues; a turn with one reply is left out, for there is nothing to compare."""
    turns = [turn for dialogue in dialogues for turn in graded_turns(dialogue, reader) if len(turn.replies) > 1]
    scores = iter(reward.score([reply.view for turn in turns for reply in turn.replies]))
    found: dict[str, list[Turn]] = defaultdict(list)
    for turn in turns:
        found[turn.where.partition(":")[0]].append([ScoredReply(reply, next(scores)) for reply in turn.replies])
    return found


def _graded(turn: Turn, grade: Grade) -> list[ScoredReply]:
    return [reply for reply in turn if reply.reply.grade == grade]


def _wins(source: str, better: ScoredReply, worse: ScoredReply) -> Iterator[float]:
    """Yield 1 where the better reply scores higher, a half for a tie, 0 else; nothing where one was not scored."""
    first, second = better.value(source), worse.value(source)
    if first is not None and second is not None:
        yield 0.5 if first == second else float(first > second)


def _accuracy(clusters: Iterable[Sequence[float]]) -> Figure:
    return mean(list(clusters), within=(0.0, 1.0))


def noticed(source: str, reply: ScoredReply, excellent: Sequence[ScoredReply]) -> bool | None:
    """Whether a source notices that a reply falls short of these; None where it could not score them."""
    own, theirs = reply.value(source), [v for other in excellent if (v := other.value(source)) is not None]
    if own is None or not theirs:
        return None
    if source == "rules":
        return reply.fired()
    if fmean(theirs) - own > MARGINS[source]:
        return True
    if source != "judge":
        return False
    least: dict[str, float] = {}
    for other in excellent:
        for name, points in other.dimensions().items():
            least[name] = min(points, least.get(name, points))
    return any(least.get(name, points) - points > MARGINS["judge"] for name, points in reply.dimensions().items())


def source_figures(dialogues: Dialogues, source: str) -> dict[str, Any]:
    """Return a source's pairwise accuracy by grades and by flaw, and what it notices; figures at the leaves.

    Under ``by_flaw`` each flaw has ``over``, how often an excellent reply of the turn scores above one with that flaw,
    and ``noticed``, the share of replies with it that are noticed.
    """
    found: dict[str, Any] = {
        name: _accuracy(
            [
                win
                for turn in turns
                for one in _graded(turn, better)
                for other in _graded(turn, worse)
                for win in _wins(source, one, other)
            ]
            for turns in dialogues.values()
        )
        for name, (better, worse) in ORDERS.items()
    }
    over: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    seen: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for dialogue, turns in dialogues.items():
        for turn in turns:
            best = _graded(turn, "excellent")
            for reply in turn:
                others = [other for other in best if other is not reply]
                flag = noticed(source, reply, others)
                if flag is None:
                    continue
                for flaw in reply.reply.flaws or (("",) if reply in best else ()):
                    seen[flaw][dialogue].append(flag)
                    over[flaw][dialogue] += [win for one in others for win in _wins(source, one, reply)]
    found["false_notice"] = share(list(seen.pop("", {}).values()))
    found["by_flaw"] = {
        flaw: {"over": _accuracy(over[flaw].values()), "noticed": share(list(seen[flaw].values()))}
        for flaw in sorted(seen)
    }
    return found


def relations(dialogues: Dialogues) -> dict[str, Figure]:
    """Return what the sources have to do with each other, by name.

    ``model_with_e``, ``total_with_model``, ``length_with_model``: correlations over replies, length in words.
    ``reordered``: of two replies to one state that the model tells apart, how often the total has the other first.
    ``near_zero``: |R_model| below ``NEAR_ZERO``. ``excellent_negative``: excellent replies with R_model below 0.
    ``rule_wrong``: excellent replies on which a rule fires.
    """
    replies = [[reply for turn in turns for reply in turn] for turns in dialogues.values()]
    models = [[m for r in some if (m := r.scored.model) is not None] for some in replies]
    return {
        "model_with_e": _correlation(replies, "enhancement"),
        "total_with_model": _correlation(replies, "total"),
        "length_with_model": _correlation(replies, ""),
        "reordered": share(
            [
                [flip for turn in turns for one, other in combinations(turn, 2) for flip in _reordered(one, other)]
                for turns in dialogues.values()
            ]
        ),
        "near_zero": share([[abs(m) < NEAR_ZERO for m in some] for some in models]),
        "excellent_negative": share(
            [
                [m < 0.0 for r in some if r.reply.grade == "excellent" and (m := r.scored.model) is not None]
                for some in replies
            ]
        ),
        "rule_wrong": share([[r.fired() for r in some if r.reply.grade == "excellent"] for some in replies]),
    }


def fired_on_excellent(dialogues: Dialogues) -> dict[str, int]:
    """Return which rules took points off excellent replies, and how often, the most frequent first."""
    replies = (r for turns in dialogues.values() for turn in turns for r in _graded(turn, "excellent"))
    return dict(
        Counter(t.id for r in replies for t in r.scored.terms if t.source == "rules" and t.points < 0.0).most_common()
    )


def _correlation(replies: Sequence[Sequence[ScoredReply]], part: str) -> Figure:
    """Return the correlation of R_model with another part of the breakdown, or with the number of words for ""."""
    clusters = []
    for some in replies:
        pairs = []
        for reply in some:
            model = reply.scored.model
            other = getattr(reply.scored, part) if part else float(len(reply.reply.view.words))
            if model is not None and other is not None:
                pairs.append((model, other))
        clusters.append(pairs)
    return correlation(clusters)


def _reordered(one: ScoredReply, other: ScoredReply) -> Iterator[bool]:
    """Yield whether the total turns round how the model orders two replies; nothing where that orders none."""
    a, b, first, second = one.scored.model, other.scored.model, one.scored.total, other.scored.total
    if a is not None and b is not None and a != b and first is not None and second is not None:
        yield (a - b) * (first - second) < 0.0


def edit_figures(edits: Sequence[EditedReply], reward: Reward) -> dict[str, dict[str, Figure]]:
    """Return by source and kind (and ``all``) how often the true one of two replies scores higher; ties count half."""
    scores = reward.score([view for edit in edits for view in (edit.true, edit.false)])
    found: dict[str, dict[str, Figure]] = {}
    for source in SOURCES:
        wins: dict[str, dict[object, list[float]]] = defaultdict(lambda: defaultdict(list))
        for place, edit in enumerate(edits):
            true, false = (getattr(scores[2 * place + i], source) for i in (0, 1))
            if true is not None and false is not None:
                for name in ("all", edit.kind):
                    wins[name][edit.true.card].append(0.5 if true == false else float(true > false))
        found[source] = {name: _accuracy(wins[name].values()) for name in ("all", *KINDS) if name in wins}
    return found


def template_wins(dialogues: Dialogues, reward: Reward, reader: Reader) -> dict[str, Figure]:
    """Return by source how often a template with the acts of a turn's first excellent reply scores above that reply."""
    chosen: list[tuple[str, ScoredReply, ReplyView]] = []
    for dialogue, turns in dialogues.items():
        for turn in turns:
            for reply in _graded(turn, "excellent")[:1]:
                v = reply.reply.view
                heard = v.manager_said[-1].text if v.manager_said else ""
                context = context_of(v.card, v.game, "agent", heard)
                text = template_text(reply.reply.acts, v.card, context, int(v.game.turn), len(chosen))
                if text is not None:
                    view = reply_in(v, text, reader)
                    chosen.append((dialogue, reply, view))
    scores = reward.score([view for _, _, view in chosen])
    found = {}
    for source in SOURCES:
        clusters: dict[str, list[float]] = defaultdict(list)
        for (dialogue, reply, _), scored in zip(chosen, scores, strict=True):
            clusters[dialogue] += _wins(source, ScoredReply(reply.reply, scored), reply)
        found[source] = _accuracy(clusters.values())
    return found


def misordered(dialogues: Dialogues) -> list[dict[str, Any]]:
    """Return the flawed replies that the total puts above an excellent one of their turn, with both texts; no ties."""
    return [
        {
            "where": worse.reply.where, "flaws": worse.reply.flaws, "text": worse.reply.view.text,
            "excellent": better.reply.view.text, "scored": worse.scored[:5], "excellent_scored": better.scored[:5],
        }
        for turns in dialogues.values()
        for turn in turns
        for better in _graded(turn, "excellent")
        for worse in _graded(turn, "flawed")
        if 0.0 in _wins("total", better, worse)
    ]  # fmt: skip


def measure(
    dialogues: Sequence[WrittenDialogue], reward: Reward, reader: Reader, edits: Sequence[EditedReply] = ()
) -> tuple[dict[str, Any], Dialogues]:
    """Return all figures as one nested table, and the scored replies that they rest on."""
    scored = score_dialogues(dialogues, reward, reader)
    found: dict[str, Any] = {source: source_figures(scored, source) for source in SOURCES}
    templates = template_wins(scored, reward, reader)
    for source, figures in edit_figures(edits, reward).items() if edits else ():
        found[source]["edits"] = figures
    for source in SOURCES:
        found[source]["template_wins"] = templates[source]
    found["rules"]["fired_on_excellent"] = fired_on_excellent(scored)
    return found | {"correlations": relations(scored)}, scored


def headline(figures: Mapping[str, Any]) -> dict[str, Figure]:
    """Return the figures that ``TARGETS`` speaks of, those that were measured."""
    found: dict[str, Figure] = {f"total {name}": figures["total"][name] for name in ORDERS}
    for source in ("total", "model"):
        found[f"{source} edits"] = figures[source].get("edits", {}).get("all", NOTHING)
    return {**found, **figures["correlations"], "template_wins": figures["total"]["template_wins"]}


def misses(name: str, figure: Figure) -> bool:
    """Whether a figure misses its target; one that was not measured, or has none, does not."""
    target = TARGETS.get(name)
    if target is None or figure.value is None:
        return False
    return figure.value > target if name in AT_MOST else figure.value < target


def plain(figures: Any) -> Any:
    """Return a nested table of figures as JSON-able data."""
    if isinstance(figures, Figure):
        return figures.to_json()
    return {name: plain(value) for name, value in figures.items()} if isinstance(figures, dict) else figures


def study(
    where: Annotated[str, typer.Argument(help="A file in the corpus' format, or train, validation or test.")],
    reward: Annotated[str, typer.Option(help="Reward spec, such as repo, repo-lm or repo:formula=hero.")] = "repo",
    reader: Annotated[str, typer.Option(help="Who understands the replies; auto is what suits people's.")] = AUTO,
    edits: Annotated[
        Path | None, typer.Option(help="Minimal edits of these dialogues; by default the test authors'.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    texts: Annotated[bool, typer.Option(help="With --json: give the texts of what the total misorders.")] = False,
    dialogues: Annotated[int, typer.Option(min=0, help="Take the first so many dialogues; 0 takes all.")] = 0,
) -> int:
    """Measure what reward sources see in written replies; exit status 1 if a target is missed."""
    chosen = dialogues_of(where)[: dialogues or None]
    named = suited_reader(None) if reader == AUTO else reader
    heard, path = load_reader(named), EDITS / "edits.jsonl" if edits is None and where == "test" else edits
    changed = [] if path is None else edited_replies(path, chosen, heard)
    figures, scored = measure(chosen, load_reward(reward), heard, changed)
    counts = {"turns": sum(map(len, scored.values())), "replies": sum(len(t) for ts in scored.values() for t in ts)}
    if as_json:
        record = {"reward": reward, "reader": named, "of": where, **counts, "edits": len(changed), **plain(figures)}
        typer.echo(json.dumps(record | ({"misordered": misordered(scored)} if texts else {}), ensure_ascii=False))
    else:
        print_figures(Console(), figures, f"{reward}, read by {named}: {counts['replies']} replies of {where}")
    return int(any(misses(name, figure) for name, figure in headline(figures).items()))


def _percent(figure: Figure | None, ends: bool = True) -> str:
    """Return a share in percent, with its interval; a dash where there is none."""
    if figure is None or figure.value is None:
        return "–"
    ends_of = "" if figure.low is None or figure.high is None else f" [{100 * figure.low:.0f}, {100 * figure.high:.0f}]"
    return f"{100 * figure.value:.0f}" + (ends_of if ends else "")


def print_figures(console: Console, figures: Mapping[str, Any], title: str) -> None:
    """Print who orders what, who notices what, and how the sources hang together."""
    orders = Table("%", *SOURCES, "n", title=title)
    rows = {name: {s: figures[s][name] for s in SOURCES} for name in (*ORDERS, "false_notice", "template_wins")}
    for kind in ("all", *KINDS):
        rows[f"edits, {kind}"] = {s: figures[s].get("edits", {}).get(kind) for s in SOURCES}
    for name, row in rows.items():
        if (n := max(figure.n if figure else 0 for figure in row.values())) > 0:
            orders.add_row(name, *(_percent(row[source]) for source in SOURCES), str(n))
    flaws = Table("flaw", *SOURCES, "replies", title="Excellent over flawed / flaw noticed, %")
    for flaw in sorted({flaw for source in SOURCES for flaw in figures[source]["by_flaw"]}):
        cells = [figures[source]["by_flaw"].get(flaw, {}) for source in SOURCES]
        said = (" / ".join(_percent(cell.get(key), ends=False) for key in ("over", "noticed")) for cell in cells)
        flaws.add_row(flaw, *said, str(max(cell["noticed"].n for cell in cells if cell)))
    console.print(orders, flaws)
    fired = ", ".join(f"{count} {name}" for name, count in figures["rules"]["fired_on_excellent"].items())
    console.print(f"rules that fire on excellent replies: {fired or 'none'}", markup=False, highlight=False)
    for name, figure in headline(figures).items():
        if figure.value is None:
            continue
        ends = "" if figure.low is None or figure.high is None else f" [{figure.low:.3f}, {figure.high:.3f}]"
        wanted = f"  ({'at most' if name in AT_MOST else 'at least'} {TARGETS[name]:g})" if name in TARGETS else ""
        missed = "  missed" if misses(name, figure) else ""
        line = f"{name:24} {figure.value:.3f}{ends} of {figure.n}{wanted}{missed}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
