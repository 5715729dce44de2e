"""Time per rule and reply on hostile text, in process CPU time.

    python -m benchmarks.studies.rule_speed [--replies 100000] [--seed 0]

Replies of 1 to 10,000 characters: repeats, brackets, digits, Chinese, invisible signs, and near-misses of each rule's
examples. Every rule is timed on every reply whose words let it be tried (the others do not run). A reading near the
limit is taken again, at most twice, and the least counts, for a busy machine stretches single readings.

Exits 0 when no rule took more than 5 ms on any reply and every reply was scored, else 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from negotiation_env.play.protocols import ReplyView
from negotiation_env.seeds import Stream
from rewards.rules.plain_text import Prepared, prepare
from rewards.rules.rule_file import Rule
from rewards.rules.rule_reward import RuleReward, example_view

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


def views_of(texts: Iterator[str]) -> Iterator[ReplyView]:
    """Yield views of replies; for speed they share one understood situation, for rules on words read the text alone."""
    base = example_view({"text": "Hello.", "said": ["win-win, as I said."], "manager": [_MANAGER]})
    for text in texts:
        yield base._replace(text=text, words=tuple(text.split()))


def measure(count: int, seed: int) -> tuple[dict[str, Slowest], int, float]:
    """Return the slowest time per rule, the replies that went unscored, and the mean seconds of all rules per reply."""
    rules = RuleReward.shipped()
    slowest = {name: Slowest() for name in (*(r.id for r in rules.rules if r.feature is None), PREPARING)}
    unscored, whole = 0, 0.0
    for view in views_of(hostile_replies(rules.rules, count, seed)):
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


def main(arguments: list[str] | None = None) -> int:
    """Print the slowest time of each rule; the exit code says whether the limit is kept."""
    parser = argparse.ArgumentParser(description="Time the rules on hostile replies.")
    parser.add_argument("--replies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    slowest, unscored, mean = measure(options.replies, options.seed)
    print(f"{options.replies} replies of up to {LONGEST} characters; all rules {mean * 1e6:.0f} µs a reply on average")
    for name, found in sorted(slowest.items(), key=lambda item: -item[1].seconds):
        print(f"  {name:24s} {found.seconds * 1e3:7.3f} ms at most, on {found.text!r}")
    kept = unscored == 0 and all(f.seconds <= LIMIT for f in slowest.values())
    print(f"unscored: {unscored}; limit of {LIMIT * 1e3:.0f} ms {'kept' if kept else 'broken'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
