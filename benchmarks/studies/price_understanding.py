"""How well `negotiation_env.language.prices.find_prices` reads prices in human negotiation messages.

Measured on the development part of CraigslistBargain (He et al., EMNLP 2018), which is not part of
this project: give its path to ``negotiate study prices``, set NEGOTIATION_CRAIGSLIST, or put it beside the
repository.

Two measurements, each with its 95 % Wilson interval:

(a) Recall of agreed figures. Of the dialogues that end with an offer that is then accepted, and
    whose last four messages contain the offered figure (`contains_figure`, which shares no code
    with the parser), how many have the figure among the parsed amounts of those messages.
(b) Precision on hand-labelled messages. Two seeded random samples of the messages of (a): "tuned"
    (200 messages, labelled from reading before the parser was tuned) and "held-out" (100 messages,
    labelled from reading after tuning ended). A parsed span is right if the labels of its message
    have its kind and value. The labels file has no message text, only its SHA-256.

The labels are one reader's judgement. Second-hand sales are not hotel rates: the figures say how
the parser does on how people write, not on a hotel's vocabulary. Chinese is not measured here.

Exits 0 when the targets are met, 1 when one is not, 2 when the data is missing or another version.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from benchmarks.statistics import wilson
from negotiation_env.files import read_json, read_lines
from negotiation_env.language.prices import PriceKind, find_prices

RECALL_TARGET: Final = 0.95
FALSE_TARGET: Final = 0.03
LAST_MESSAGES: Final = 4
SAMPLES: Final = {"tuned": (20240501, 200), "held-out": (20240502, 100)}
_ROOT: Final = Path(__file__).resolve().parents[2]
DEFAULT_LABELS: Final = _ROOT / "tests" / "language" / "data" / "price_labels.jsonl"


class HumanDialogue(NamedTuple):
    """A dialogue of (a): `messages` maps the event index of each of its last messages to its text."""

    uuid: str
    figure: float
    messages: dict[int, str]


class Ratio(NamedTuple):
    """`hits` of `total`, with the messages or dialogues that missed."""

    hits: int
    total: int
    misses: tuple[str, ...]

    def interval(self) -> tuple[float, float]:
        """Return the 95 % Wilson score interval; (0, 1) for an empty sample."""
        return wilson(self.hits, self.total) if self.total else (0.0, 1.0)

    def line(self, name: str) -> str:
        """One line of the report."""
        low, high = self.interval()
        share = self.hits / self.total if self.total else 0.0
        return f"{name}: {self.hits}/{self.total} = {share:.3f} [{low:.3f}, {high:.3f}]"


_UNITS: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = ("-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_FIGURE: Final = re.compile(r"(?<![\d.])\d+(?:\.\d+)?(?:\s?k(?![a-z]))?")


def _spell_below_hundred(number: int) -> str:
    if number < 20:
        return _UNITS[number]
    return _TENS[number // 10] + (f" {_UNITS[number % 10]}" if number % 10 else "")


def _spellings(number: int) -> set[str]:
    """Ways to say a whole number below 100,000 in English words ("three eighty" included)."""
    if not 0 < number < 100_000:
        return set()
    if number < 100:
        return {_spell_below_hundred(number)}
    found: set[str] = set()
    hundreds, rest = divmod(number, 100)
    if hundreds < 100:
        head = _spell_below_hundred(hundreds)
        word = _spell_below_hundred(rest)
        for tail in [f" {word}", f" and {word}"] if rest else [""]:
            found.add(f"{head} hundred{tail}")
            if hundreds == 1:
                found.add(f"a hundred{tail}")
        if rest >= 10:
            found.add(f"{head} {word}")
    thousands, rest = divmod(number, 1000)
    if thousands:
        heads = [_spell_below_hundred(thousands)] + (["a"] if thousands == 1 else [])
        tails = [f"{joint}{word}" for joint in (" ", " and ") for word in _spellings(rest)] or [""]
        found |= {f"{head} thousand{tail}" for head in heads for tail in tails}
    return found


def contains_figure(text: str, figure: float) -> bool:
    """Whether `text` has `figure` as a number of any meaning, in digits or in English words.

    Digits: thousands commas are dropped, a decimal part and a following "k" are read. Words: any
    spelling of `_spellings` as whole words. Independent of the parser under test.
    """
    low = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text.lower())
    for match in _FIGURE.finditer(low):
        digits = match.group()
        value = float(digits.rstrip("k").strip()) * (1000 if digits.endswith("k") else 1)
        if abs(value - figure) < 0.005:
            return True
    if figure != int(figure):
        return False
    words = " " + " ".join(re.findall(r"[a-z]+", low)) + " "
    return any(f" {spelling} " in words for spelling in _spellings(int(figure)))


def default_data_path() -> Path:
    """Where the data is looked for when no path is given."""
    given = os.environ.get("NEGOTIATION_CRAIGSLIST")
    beside = _ROOT.parent / "shared" / "data" / "craigslist_bargain" / "dev.json"
    return Path(given) if given else beside


def load_dialogues(path: Path) -> list[HumanDialogue]:
    """The dialogues of (a), in the order of the file.

    Raises:
        DataFileError: the file cannot be read, or is no JSON.
    """
    raw = read_json(path, list[dict[str, Any]])
    found: list[HumanDialogue] = []
    for dialogue in raw:
        events = dialogue["events"]
        if [event["action"] for event in events[-2:]] != ["offer", "accept"]:
            continue
        figure = events[-2]["data"]["price"]
        if not figure or figure <= 0:
            continue
        messages = {i: e["data"] for i, e in enumerate(events) if e["action"] == "message"}
        last = dict(list(messages.items())[-LAST_MESSAGES:])
        if any(contains_figure(text, figure) for text in last.values()):
            found.append(HumanDialogue(dialogue["uuid"], float(figure), last))
    return found


def draw_samples(dialogues: list[HumanDialogue]) -> dict[str, list[tuple[str, int]]]:
    """The labelled messages of each sample as (uuid, event index); the samples do not overlap."""
    rest = [(dialogue.uuid, event) for dialogue in dialogues for event in dialogue.messages]
    drawn: dict[str, list[tuple[str, int]]] = {}
    for name, (seed, size) in SAMPLES.items():
        drawn[name] = sorted(random.Random(seed).sample(rest, size))
        taken = set(drawn[name])
        rest = [key for key in rest if key not in taken]
    return drawn


def measure_agreed_figures(dialogues: list[HumanDialogue]) -> Ratio:
    """Measurement (a)."""
    misses = []
    for dialogue in dialogues:
        amounts = {
            price.value
            for text in dialogue.messages.values()
            for price in find_prices(text)
            if price.kind is PriceKind.AMOUNT
        }
        if not any(abs(amount - dialogue.figure) < 0.005 for amount in amounts):
            misses.append(f"{dialogue.uuid} ({dialogue.figure:g})")
    return Ratio(len(dialogues) - len(misses), len(dialogues), tuple(misses))


def measure_labelled(dialogues: list[HumanDialogue], labels: list[dict[str, Any]], sample: str) -> tuple[Ratio, Ratio]:
    """Measurement (b) on one sample: precision of the parsed spans, recall of the labelled prices.

    Raises:
        ValueError: a labelled message is not in the data, or has another text there.
    """
    texts = {(d.uuid, event): text for d in dialogues for event, text in d.messages.items()}
    right = parsed_total = true_total = 0
    wrong: list[str] = []
    missed: list[str] = []
    for label in labels:
        if label["sample"] != sample:
            continue
        key = (label["uuid"], label["event"])
        text = texts.get(key)
        if text is None or hashlib.sha256(text.encode()).hexdigest() != label["sha256"]:
            raise ValueError(
                f"expected the labelled message {key} in the data, got another text or none; "
                "use the data version that the labels were made on"
            )
        parsed = Counter(
            (price.kind.value, price.value) for price in find_prices(text) if price.kind is not PriceKind.MIDPOINT
        )
        true = Counter((price["kind"], float(price["value"])) for price in label["prices"])
        right += (parsed & true).total()
        parsed_total += parsed.total()
        true_total += true.total()
        wrong.extend(f"{key}: {item}" for item in (parsed - true).elements())
        missed.extend(f"{key}: {item}" for item in (true - parsed).elements())
    return Ratio(right, parsed_total, tuple(wrong)), Ratio(right, true_total, tuple(missed))


def study(
    path: Annotated[Path | None, typer.Argument(help="The data; default: see above.", show_default=False)] = None,
    labels: Annotated[Path, typer.Option(help="The labels of the messages.", show_default=False)] = DEFAULT_LABELS,
    misses: Annotated[bool, typer.Option("--misses", help="List what was missed or wrong.")] = False,
) -> int:
    """Measure how well prices are read in human messages; exit status 1 if a target is missed, 2 where data is missing.

    The data is CraigslistBargain's development part, which is not part of this project: give its path, or set
    NEGOTIATION_CRAIGSLIST.
    """
    try:
        dialogues = load_dialogues(path or default_data_path())
        rows = list(read_lines(labels, dict[str, Any]))
        agreed = measure_agreed_figures(dialogues)
        labelled = {name: measure_labelled(dialogues, rows, name) for name in SAMPLES}
    except (OSError, ValueError) as error:
        print(f"price_understanding: cannot measure: {error}", file=sys.stderr)
        return 2
    ratios = {"agreed figures found": agreed}
    for name, (precision, recall) in labelled.items():
        ratios[f"precision, {name} sample"] = precision
        ratios[f"recall, {name} sample"] = recall
    for name, ratio in ratios.items():
        print(ratio.line(name))
        if misses:
            print("".join(f"    {miss}\n" for miss in ratio.misses), end="")
    met = agreed.hits >= RECALL_TARGET * agreed.total and all(
        precision.total - precision.hits <= FALSE_TARGET * precision.total for precision, _ in labelled.values()
    )
    print("targets met" if met else "targets missed")
    return 0 if met else 1
