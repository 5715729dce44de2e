"""The form in which a judge adapter answers: one word a dimension behind the reply, a letter read at each.

Behind the chat and the reply, out of reach of both (a reply cannot write control tokens, so it cannot end its own
message), stand "Verdicts:" and the last word of each dimension's title. The token that would follow each word is the
verdict: the letter of a choice. All dimensions are read in one pass, and no answer sees another. Knows a tokenizer
and a rubric; no model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from negotiation_env.engines.chat_text import ChatText
from negotiation_env.engines.protocol import EngineSpecError
from negotiation_env.errors import DataFileError
from rewards.rubric import Rubric

Ids = tuple[int, ...]
FILE = "judge_form.json"
LEAST_MASS = 0.5
"""An answer is readable if its letters have so much of the probability among all tokens."""
_OPENS = "Verdicts:"


class JudgeForm:
    """A rubric's form for one tokenizer.

    Attributes:
        suffix: ids that follow the reply's message.
        slots: the place of each dimension's last token in ``suffix``.
        letters: the vocabulary ids of all letters that some dimension uses, A first.
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
        self.suffix: Ids = tuple(suffix)
        self.slots = tuple(slots)
        self.counts = tuple(len(d.choices) for d in rubric.dimensions)
        self.letters = _letters(chat, max(self.counts))

    def places(self, end: int) -> tuple[int, ...]:
        """Return the slots' places in a text whose suffix begins at ``end``."""
        return tuple(end + slot for slot in self.slots)


def _letters(chat: ChatText, count: int) -> Ids:
    """Return the ids of so many letters, with a space in front where the tokenizer has them as one token."""
    names: Sequence[str] = [chr(ord("A") + i) for i in range(count)]
    for lead in (" ", ""):
        ids = [chat.ids(lead + name) for name in names]
        if all(len(i) == 1 for i in ids):
            return tuple(i[0] for i in ids)
    raise EngineSpecError(f"tokenizer: expected one token for each of {', '.join(names)}: use another base")


def write_form(folder: Path, rubric: Rubric) -> None:
    """Write beside an adapter which dimensions it has learnt, and how many choices each has."""
    table = {d.id: len(d.choices) for d in rubric.dimensions}
    (folder / FILE).write_text(json.dumps(table) + "\n", encoding="utf-8")


def check_form(folder: Path, rubric: Rubric) -> None:
    """Check that an adapter has learnt a rubric's dimensions; points and wording may be other ones.

    Raises:
        DataFileError: if it has not, or the folder does not say.
    """
    path = folder / FILE
    try:
        learnt = list(json.loads(path.read_text(encoding="utf-8")).items())
    except (OSError, ValueError, AttributeError) as error:
        raise DataFileError(f"{path}: expected the dimensions that a judge has learnt, got: {error!r}") from error
    wanted = [(d.id, len(d.choices)) for d in rubric.dimensions]
    if learnt != wanted:
        raise DataFileError(
            f"rubric: expected the dimensions and numbers of choices {learnt} that the judge was trained on, got "
            f"{wanted}: train again (negotiate train judge), or use an engine as the judge, such as judge=smollm2"
        )
