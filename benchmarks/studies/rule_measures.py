"""The shipped rules measured: precision and recall on labelled replies, and time per rule on hostile text.

``negotiate study rules``: by family and micro-averaged, with 95 % Wilson intervals. The replies and their labels come
out of a grammar (``rule_labels``) whose author also worked on the rules: nobody else labelled them. Each pair of a
reply and a family counts once. The intervals take replies as independent, though three come of each template; the
distinct templates are given beside.

``negotiate study rule-speed``: process CPU time on replies of 1 to 10,000 characters: repeats, brackets, digits,
Chinese, invisible signs, and near-misses of each rule's examples. Every rule is timed on every reply whose words let it
be tried (the others do not run). A reading near the limit is taken again, at most twice, and the least counts, for a
busy machine stretches single readings.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
import typer

from benchmarks.studies.price_understanding import Ratio
from benchmarks.studies.rule_labels import HALVES, Labelled, labelled_replies
from negotiation_env.play.protocols import ReplyView
from negotiation_env.seeds import Stream
from rewards.rules.plain_text import Prepared, prepare
from rewards.rules.rule_file import Rule
from rewards.rules.rule_reward import RuleReward, example_view

TARGET: Final = 0.98
FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "format": ("role-label", "markdown", "placeholder", "json", "control-characters", "empty"),
    "length": ("over-long", "far-too-long", "unread"),
    "language": ("mixed-language",),
    "reasoning": ("chain-of-thought", "broken-role"),
    "internal": ("internal-term", "internal-jargon", "target-leak", "target-named"),
    "superlative": ("absolute-claim",),
    "rude": ("profanity", "threat", "insult", "rude", "pressure"),
    "repetition": ("stock-phrase", "repeated-message", "keyword-soup"),
    "figure": (
        "false-figure",
        "false-direction",
        "false-competitor",
        "false-commission",
        "false-sum",
        "false-quote",
        "false-fact",
    ),
    "stay": ("false-date", "false-nights", "false-room", "false-hotel", "false-event"),
    "price-type": ("price-type",),
    "over-promise": ("over-promise-text", "over-promise", "gift-not-allowed"),
    "personal": ("personal-data", "contact-number"),
    "false-agreement": ("silence-as-agreement", "unfounded-thanks", "mistaken-claim"),
    "bid": ("bid-above-quote", "bid-absurd"),
}
"""Rules of the shipped file by family. The task's feature rules (pressing at target, dropped tickets, open rooms at
the close, leaving the topic) belong to none: they are measured with the understanding of messages."""
_FAMILY_OF: Final = {rule: family for family, rules in FAMILIES.items() for rule in rules}


@dataclass(slots=True)
class Counts:
    """Right and wrong answers for a family, and the replies that were missed or fired on wrongly."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    @property
    def precision(self) -> Ratio:
        """Share of the rules' answers that are labelled."""
        return Ratio(self.right, self.right + len(self.wrong), tuple(self.wrong))

    @property
    def recall(self) -> Ratio:
        """Share of the labels that the rules answer."""
        return Ratio(self.right, self.right + len(self.missed), tuple(self.missed))


def measure_quality(rules: RuleReward, replies: Iterable[Labelled]) -> dict[str, Counts]:
    """Return the counts of each family; a rule that no family has is left out."""
    counts = {family: Counts() for family in FAMILIES}
    for reply in replies:
        ids = [t.id for t in rules.score(reply.view).terms]
        fired = {_FAMILY_OF[i] for i in ids if i in _FAMILY_OF}
        wanted = {reply.family} if reply.bad else set()
        shown = f"{reply.view.text!r} [{reply.disguise or 'plain'}] {' '.join(ids)}"
        for family in wanted & fired:
            counts[family].right += 1
        for family in wanted - fired:
            counts[family].missed.append(shown)
        for family in fired - wanted - reply.open:
            counts[family].wrong.append(f"({reply.family}) {shown}")
    return counts


def total(counts: Iterable[Counts]) -> Counts:
    """Return counts summed over families (for micro-averages)."""
    out = Counts()
    for part in counts:
        out.right += part.right
        out.wrong += part.wrong
        out.missed += part.missed
    return out


def quality(
    only_half: Annotated[
        Literal["development", "held_out"] | None, typer.Option("--half", help="Only this half.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--rules", help="Rules file; default: the shipped one.")] = None,
    misses: Annotated[bool, typer.Option("--misses", help="List what was missed or wrong.")] = False,
) -> int:
    """Measure precision and recall of the rules; exit status 1 if one is below 0.98 on the held-out half."""
    rules = RuleReward.from_toml(file)
    met = True
    for half in HALVES:
        if only_half not in (None, half):
            continue
        replies = list(labelled_replies(half))
        counts = measure_quality(rules, replies)
        bad, disguised = sum(r.bad for r in replies), sum(bool(r.disguise) for r in replies)
        templates = len({(r.family, r.template) for r in replies})
        print(f"{half}: {len(replies)} replies of {templates} templates, {bad} bad, {disguised} disguised")
        summary = total(counts.values())
        for family, count in {**counts, "all": summary}.items():
            print(f"  {family:16s} {count.precision.line('precision')}   {count.recall.line('recall')}")
            if misses and family != "all":
                print("".join(f"      wrong {m}\n" for m in count.wrong), end="")
                print("".join(f"      missed {m}\n" for m in count.missed), end="")
        if half == "held_out":
            met = all(r.hits >= TARGET * r.total for r in (summary.precision, summary.recall))
            print(f"target of {TARGET} {'met' if met else 'missed'}")
    return 0 if met else 1


LIMIT: Final = 0.005
"""Seconds that one rule may take on one reply."""
LONGEST: Final = 10_000
PREPARING: Final = "(preparing the text)"
_UNITS: Final = (
    "a", "1", " ", "\n", "((", "))", "[{", "}]", "<", "</", "\"'", "**", "- ", "_", "@.", "$", "¥3", "：", "的", "是",
    "保", "\u200b", "\u0301", "\u0430", "\u0455", "１", "\uff21", "\U0001d41a", "é", "380 ",
    "13812345678 ", "3.", "1,000", "%", "a.", "a-", "a b ", "4e",
    "we will ", "you ", "your hotel ", "not ", "no answer ", "net ", "guests pay ", "selling ", "unless ", "I should ",
)  # fmt: skip
_MANAGER: Final = "I could do 380 net."


@dataclass(slots=True)
class Slowest:
    """The longest time of a rule, in seconds, and the beginning of the reply that took it."""

    seconds: float = 0.0
    text: str = ""


def hostile_replies(rules: Sequence[Rule], count: int, seed: int = 0) -> Iterator[str]:
    """Yield so many hostile replies of 1 to ``LONGEST`` characters. The same seed gives the same replies."""
    rng = np.random.default_rng((Stream.HOSTILE_REPLY, seed))
    examples = [e if isinstance(e, str) else str(e["text"]) for rule in rules for e in (*rule.yes, *rule.no)]
    needs = [need + " " for rule in rules for need in rule.needs]
    pools = (list(_UNITS), [e for e in examples if e], needs)
    for _ in range(count):
        length = int(rng.integers(1, LONGEST + 1)) if rng.random() < 0.5 else int(10 ** rng.uniform(0, 4))
        kinds = int(rng.integers(1, 7))
        units = [_near_miss(str(pool[int(rng.integers(len(pool)))]), rng) for pool in _chosen(pools, kinds, rng)]
        if rng.random() < 0.5:
            text = "".join(units) * (length // max(1, sum(map(len, units))) + 1)
        else:
            order = rng.integers(len(units), size=length // max(1, min(map(len, units))) + 1)
            text = "".join(units[k] for k in order[:LONGEST])
        yield text[:length]


def _chosen(pools: Sequence[list[str]], kinds: int, rng: np.random.Generator) -> list[list[str]]:
    return [pools[int(rng.integers(len(pools)))] for _ in range(kinds)]


def _near_miss(unit: str, rng: np.random.Generator) -> str:
    """Return a unit as it is, cut short, or with a letter changed."""
    luck = rng.random()
    if luck < 0.5 or len(unit) < 3:
        return unit
    at = int(rng.integers(1, len(unit)))
    return unit[:at] if luck < 0.75 else f"{unit[:at]}{_UNITS[int(rng.integers(len(_UNITS)))]}{unit[at:]}"


def hostile_views(texts: Iterator[str]) -> Iterator[ReplyView]:
    """Yield views of replies; for speed they share one understood situation, for rules on words read the text alone."""
    base = example_view({"text": "Hello.", "said": ["win-win, as I said."], "manager": [_MANAGER]})
    for text in texts:
        yield base._replace(text=text, words=tuple(text.split()))


def measure_speed(count: int, seed: int) -> tuple[dict[str, Slowest], int, float]:
    """Return the slowest time per rule, the replies that went unscored, and the mean seconds of all rules per reply."""
    rules = RuleReward.shipped()
    slowest = {name: Slowest() for name in (*(r.id for r in rules.rules if r.feature is None), PREPARING)}
    unscored, whole = 0, 0.0
    for view in hostile_views(hostile_replies(rules.rules, count, seed)):
        start = time.process_time()
        prepared = prepare(view.text)
        spent = time.process_time() - start
        _note(slowest[PREPARING], spent, view.text)
        whole += spent
        for i in rules.tried(view, prepared):
            try:
                spent = _seconds(rules, i, view, prepared)
            except TimeoutError:
                unscored += 1
                continue
            whole += spent
            _note(slowest[rules.rules[i].id], spent, view.text)
    return slowest, unscored, whole / count


def _seconds(rules: RuleReward, i: int, view: ReplyView, prepared: Prepared) -> float:
    """Return the time of one rule on one reply: the least of three readings where the first is near the limit."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        rules.fires(i, view, prepared)
        best = min(best, time.process_time() - start)
        if best < 0.5 * LIMIT:
            break
    return best


def _note(slowest: Slowest, seconds: float, text: str) -> None:
    if seconds > slowest.seconds:
        slowest.seconds, slowest.text = seconds, text[:40]


def speed(
    replies: Annotated[int, typer.Option(help="Hostile replies.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Seed of the replies.")] = 0,
) -> int:
    """Time the rules on hostile replies; exit status 1 if one took more than 5 ms or a reply was not scored."""
    slowest, unscored, mean = measure_speed(replies, seed)
    print(f"{replies} replies of up to {LONGEST} characters; all rules {mean * 1e6:.0f} µs a reply on average")
    for name, found in sorted(slowest.items(), key=lambda item: -item[1].seconds):
        print(f"  {name:24s} {found.seconds * 1e3:7.3f} ms at most, on {found.text!r}")
    kept = unscored == 0 and all(f.seconds <= LIMIT for f in slowest.values())
    print(f"unscored: {unscored}; limit of {LIMIT * 1e3:.0f} ms {'kept' if kept else 'broken'}")
    return 0 if kept else 1
