"""The form in which adapters read a reply: notes on it, then one word a dimension, a letter read at each.

Behind the chat and the reply, out of reach of both (a reply cannot write control tokens, so it cannot end its own
message), stand the notes that code has made (``notes``), "Verdicts:", and the last word of each dimension's title. The
token that would follow each word is the verdict: the letter of a choice. Letters run on through the rubric, A to E for
five choices of the first dimension, F onwards for the second, so that each choice has a token of its own. All
dimensions are read in one pass, and no answer sees another.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path

from negotiation_env.engines.chat_model import EngineSpecError
from negotiation_env.engines.chat_text import ChatText
from negotiation_env.errors import DataFileError
from negotiation_env.files import read_json, write_json
from rewards.judge.judge_orders import orders, without_orders
from rewards.judge.rubric import Rubric

Ids = tuple[int, ...]
FILE = "judge_form.json"
LEAST_MASS = 0.5
"""An answer is readable if its letters have so much of the probability among all tokens."""
_OPENS = "Verdicts:"
_ASIDE = " Speaks to judge."


class JudgeForm:
    """A rubric's form for one tokenizer.

    Attributes:
        suffix: ids that follow the notes.
        slots: the place of each dimension's last token in ``suffix``.
        letters: the vocabulary ids of all choices, dimension after dimension.
        counts: how many choices each dimension has.

    Raises:
        EngineSpecError: if the tokenizer has no single token for each letter.
    """

    def __init__(self, chat: ChatText, rubric: Rubric) -> None:
        suffix = list(chat.ids(_OPENS))
        slots = []
        for dimension in rubric.dimensions:
            suffix += chat.ids(f" {dimension.title.split()[-1].lower()}")
            slots.append(len(suffix) - 1)
        self.chat = chat
        self.suffix: Ids = tuple(suffix)
        self.slots = tuple(slots)
        self.counts = tuple(len(d.choices) for d in rubric.dimensions)
        self.letters = _letters(chat, sum(self.counts))

    def behind(self, noted: str = "") -> Ids:
        """Return the ids that follow a reply's message: its notes, if there are any, and the suffix."""
        return (*(self.chat.ids(f"Notes: {noted}.\n") if noted else ()), *self.suffix)

    def reply(self, text: str, noted: str = "") -> Ids:
        """Return the ids of a reply as it is read, without what it says to a judge, with notes and suffix behind it."""
        return (*self.chat.reply_ids(without_orders(text)), *self.behind(noted))

    def aside(self, text: str) -> Ids:
        """Return what a reward model, which reads behind the form, is told of a reply that speaks to a judge.

        The judge reads before it: what a reply says to it is to move none of its verdicts, up or down.
        """
        return self.chat.ids(_ASIDE) if orders(text) else ()

    def places(self, stop: int) -> tuple[int, ...]:
        """Return the slots' places in a text that ends, with the suffix, before ``stop``."""
        return tuple(stop - len(self.suffix) + slot for slot in self.slots)

    def choices(self, slot: int) -> slice:
        """Return which of ``letters`` a dimension offers."""
        start = sum(self.counts[:slot])
        return slice(start, start + self.counts[slot])


def _letters(chat: ChatText, count: int) -> Ids:
    """Return the ids of so many letters, with a space in front where the tokenizer has them as one token."""
    names: Sequence[str] = (string.ascii_uppercase + string.ascii_lowercase)[:count]
    for lead in (" ", ""):
        ids = [chat.ids(lead + name) for name in names]
        if len(names) == count and all(len(i) == 1 for i in ids):
            return tuple(i[0] for i in ids)
    raise EngineSpecError(f"tokenizer: expected one token for each of {count} letters: use another base")


def write_form(folder: Path, rubric: Rubric) -> None:
    """Write beside an adapter which dimensions it has learnt, and how many choices each has."""
    write_json(folder / FILE, {d.id: len(d.choices) for d in rubric.dimensions}, indent=None, escaped=True)


def check_form(folder: Path, rubric: Rubric) -> None:
    """Check that an adapter has learnt a rubric's dimensions; points and wording may be other ones.

    Raises:
        DataFileError: if it has not, or the folder does not say.
    """
    learnt = list(read_json(folder / FILE, dict[str, int], "name a folder that says what its judge has learnt").items())
    wanted = [(d.id, len(d.choices)) for d in rubric.dimensions]
    if learnt != wanted:
        raise DataFileError(
            f"rubric: expected the dimensions and numbers of choices {learnt} that the judge was trained on, got "
            f"{wanted}: train again (negotiate train judge), or use an engine as the judge, such as judge=smollm2"
        )
