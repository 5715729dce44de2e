"""Replies of negotiations as texts for reward adapters: read once, whichever adapter asks, and remembered by content.

The text is the agent's prompt (``negotiation_env.prompt``), the reply without sentences that speak to a judge
(``judged_reply``), notes on it, and the judge's form.
All adapters that were added read a text in the same pass, so the lower layers are run once for reward model and judge
together. Knows no rewards.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from negotiation_env.engines.chat_text import ChatText
from negotiation_env.engines.checkpoints import Number
from negotiation_env.engines.scoring import Head, Reader, ReadText, load_head, open_base
from negotiation_env.errors import DataFileError
from negotiation_env.prompt import prompt
from negotiation_env.protocols import ReplyView
from rewards.judge_form import JudgeForm
from rewards.judge_orders import without_orders
from rewards.notes import notes
from rewards.rubric import Rubric

ARTIFACTS = Path(__file__).with_name("artifacts")
"""The shipped adapters: ``rm-small`` and ``judge-small``."""
READING = "reading.json"
"""File of a reward adapter that says which tokens follow a reply before it is read."""
REWARD, JUDGE = "reward", "judge"


class Outcome(NamedTuple):
    """What an adapter made of a reply: (places, outputs), or why there is nothing."""

    outputs: tuple[tuple[float, ...], ...] = ()
    fault: str | None = None


class ReplyReader:
    """Reads replies with a reward model's adapter, a judge's, or both.

    Args:
        base: name of the base: "smollm2", a folder, or a Hub id.
        rubric: of the judge; None takes the shipped one.
        device: "auto", "cpu", "cuda", ...
        number: format of the base's weights.
        remember: replies whose outputs are kept, the least recently used are dropped; 0 for none.

    Raises:
        EngineSpecError: where the base cannot be loaded.
    """

    def __init__(
        self,
        base: str = "smollm2",
        rubric: Rubric | None = None,
        device: str = "auto",
        number: Number = "auto",
        remember: int = 16_384,
    ) -> None:
        self.base = open_base(base, device, number)
        self.chat = ChatText(self.base.tokenizer)
        self.rubric = Rubric.from_toml() if rubric is None else rubric
        self.form = JudgeForm(self.chat, self.rubric)
        self.remember = remember
        self._heads: dict[str, Head] = {}
        self._reward_behind = False
        self._known: OrderedDict[bytes, dict[str, Outcome]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, name: str, folder: str | Path) -> None:
        """Add the adapter of a folder as ``REWARD`` or ``JUDGE``, in place of an earlier one.

        Raises:
            EngineSpecError: where the folder holds no such adapter of this base.
            DataFileError: if a reward adapter reads behind another form than this reader's.
        """
        behind = name == REWARD and self._behind_form(Path(folder))
        head = load_head(self.base, folder, self.form.letters if name == JUDGE else None)
        with self._lock:
            self._heads[name] = head
            self._reward_behind = behind if name == REWARD else self._reward_behind
            for outcomes in self._known.values():
                outcomes.pop(name, None)

    def read(self, views: Sequence[ReplyView], name: str) -> list[Outcome]:
        """Return what the named adapter makes of each reply, in order."""
        texts = [self._text(view) for view in views]
        keys = [hashlib.blake2b(np.array(t.ids, dtype=np.int32).tobytes(), digest_size=16).digest() for t in texts]
        with self._lock:
            found = {key: self._known[key] for key in keys if name in self._known.get(key, {})}
            missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
            if missing:
                outcomes = self._outcomes(list(missing.values()))
                for key, outcome in zip(missing, outcomes, strict=True):
                    found[key] = outcome
            for key in keys:
                self._known[key] = found[key]
                self._known.move_to_end(key)
            while len(self._known) > self.remember:
                self._known.popitem(last=False)
        return [found[key][name] for key in keys]

    def _behind_form(self, folder: Path) -> bool:
        """Return whether a reward adapter reads its score behind the judge's form, at whose end."""
        path = folder / READING
        if not path.is_file():
            return False
        try:
            suffix = tuple(json.loads(path.read_text(encoding="utf-8"))["suffix"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataFileError(f"{path}: expected the tokens that follow a reply, got: {error!r}") from error
        if suffix and suffix != self.form.suffix:
            raise DataFileError(
                f"{path}: expected the tokens {list(self.form.suffix)} of the rubric's dimensions, got {list(suffix)}: "
                "give the reward model a reader of its own, with the rubric that it was trained with"
            )
        return bool(suffix)

    def _text(self, view: ReplyView) -> ReadText:
        head, body = self.chat.prompt_ids(prompt(view)), self.chat.reply_ids(without_orders(view.text))
        end = len(head) + len(body)
        if JUDGE not in self._heads and not self._reward_behind:
            return ReadText(head + body, {REWARD: (end - 1,)})
        read = head + self.form.reply(view.text, notes(view))
        ids = read + self.form.aside(view.text) if self._reward_behind else read
        reward = len(ids) - 1 if self._reward_behind else end - 1
        return ReadText(ids, {REWARD: (reward,), JUDGE: self.form.places(len(read))})

    def _outcomes(self, texts: Sequence[ReadText]) -> list[dict[str, Outcome]]:
        """Read texts with every adapter; in halves where memory does not suffice, so that a fault is one text's own."""
        try:
            read = Reader(self.base, self._heads).read(texts)
        except RuntimeError as error:  # torch reports lack of memory, and most else, so
            if len(texts) == 1:
                fault = f"{type(error).__name__}: {str(error)[:300]}"
                return [dict.fromkeys(self._heads, Outcome(fault=fault))]
            half = len(texts) // 2
            return self._outcomes(texts[:half]) + self._outcomes(texts[half:])
        return [
            {
                name: Outcome(tuple(tuple(float(x) for x in row) for row in out.tolist()))
                if bool(out.isfinite().all())
                else Outcome(fault="the model's output is not a number")
                for name, out in outputs.items()
            }
            for outputs in read
        ]


@cache
def shipped_reader(device: str = "auto") -> ReplyReader:
    """Return the one reader that the shipped adapters share; adapters are added when they are first asked for."""
    return ReplyReader(device=device)


def shipped_folder(name: str) -> Path:
    """Return the folder of a shipped adapter."""
    return ARTIFACTS / name
