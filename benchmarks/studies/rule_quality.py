"""Precision and recall of the rules on labelled replies, by family and micro-averaged, with 95 % Wilson intervals.

    python -m benchmarks.studies.rule_quality [--half development|held_out] [--rules FILE] [--misses]

The replies and their labels come out of a grammar (``rule_grammar``) whose author also worked on the rules: nobody
else labelled them. Each pair of a reply and a family counts once. The intervals take replies as independent, though
three come of each template; the distinct templates are given beside.

Exits 0 when precision and recall on the held-out half are at least 0.98, else 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.studies.price_understanding import Ratio
from benchmarks.studies.rule_labels import HALVES, Labelled, labelled_replies
from rewards.rules.rule_reward import RuleReward

TARGET: Final = 0.98
FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "format": ("role-label", "markdown", "placeholder", "json", "control-characters", "empty"),
    "length": ("over-long", "far-too-long", "unread"),
    "language": ("mixed-language",),
    "reasoning": ("chain-of-thought", "broken-role"),
    "internal": ("internal-term", "target-leak"),
    "superlative": ("absolute-claim",),
    "rude": ("profanity", "threat", "insult", "rude", "pressure"),
    "repetition": ("stock-phrase", "repeated-message"),
    "figure": ("figure", "false-fact"),
    "price-type": ("price-type",),
    "over-promise": ("over-promise-text", "over-promise"),
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


def measure(rules: RuleReward, replies: Iterable[Labelled]) -> dict[str, Counts]:
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


def main(arguments: list[str] | None = None) -> int:
    """Print the measurements; the exit code says whether the target is met."""
    parser = argparse.ArgumentParser(description="Measure the rules on labelled replies.")
    parser.add_argument("--half", choices=HALVES, help="only this half")
    parser.add_argument("--rules", type=Path, help="rules file (default: the shipped one)")
    parser.add_argument("--misses", action="store_true", help="list what was missed or wrong")
    options = parser.parse_args(arguments)
    rules = RuleReward.from_toml(options.rules)
    met = True
    for half in HALVES:
        if options.half not in (None, half):
            continue
        replies = list(labelled_replies(half))
        counts = measure(rules, replies)
        bad, disguised = sum(r.bad for r in replies), sum(bool(r.disguise) for r in replies)
        templates = len({(r.family, r.template) for r in replies})
        print(f"{half}: {len(replies)} replies of {templates} templates, {bad} bad, {disguised} disguised")
        summary = total(counts.values())
        for family, count in {**counts, "all": summary}.items():
            print(f"  {family:16s} {count.precision.line('precision')}   {count.recall.line('recall')}")
            if options.misses and family != "all":
                print("".join(f"      wrong {m}\n" for m in count.wrong), end="")
                print("".join(f"      missed {m}\n" for m in count.missed), end="")
        if half == "held_out":
            met = all(r.hits >= TARGET * r.total for r in (summary.precision, summary.recall))
            print(f"target of {TARGET} {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
