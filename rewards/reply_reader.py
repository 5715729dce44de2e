"""Replies of negotiations as texts for reward adapters: read once, whichever adapter asks, and remembered by content.

``notes`` puts into words what code has read out of a reply, for language models that score it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel

from negotiation_env.engines.chat_text import ChatText
from negotiation_env.engines.checkpoints import Number
from negotiation_env.engines.scoring import Head, ReadText, TextScorer, load_head, open_base
from negotiation_env.errors import DataFileError
from negotiation_env.files import read_json
from negotiation_env.game.features import FEATURES
from negotiation_env.play.prompts import prompt
from negotiation_env.play.protocols import ReplyView, Utterance
from rewards.judge.judge_form import JudgeForm
from rewards.judge.judge_orders import judged_reply, without_orders
from rewards.judge.rubric import Rubric
from rewards.linear import text_marks
from rewards.rules.plain_text import prepare
from rewards.rules.reply_figures import said_figures
from rewards.rules.rule_reward import RuleReward

NAMES = {
    "greet_first": "greets first", "greet_again": "greets again", "no_greeting": "no greeting",
    "fresh_reason": "new reason", "stale_reason": "old reason", "pressure": "pressure", "rude": "insult",
    "false_fact": "false figure", "overpromise": "forbidden promise", "allowed_promise": "allowed promise",
    "soothe_upset": "soothes", "ignore_upset": "ignores anger", "soothe_idle": "soothes idly",
    "answer_reason": "answers why", "ignore_reason": "ignores why", "ask_first": "asks rate",
    "ask_again": "asks again", "bid_with_reason": "reasoned bid", "bid_without_reason": "bare bid",
    "bid_small_step": "small step", "bid_large_step": "large step", "bid_unmoved": "unmoved bid",
    "bid_retreat": "bid retreats", "bid_above_quote": "bid above offer", "bid_absurd": "absurd bid",
    "take_at_target": "takes good offer", "take_cut": "takes cut", "take_no_cut": "takes no cut",
    "press_at_target": "presses despite good offer", "mistaken_claim": "wrong claim",
    "ticket_dropped": "room left out", "close_open": "closes early", "close_silent_hotel": "closes on silence",
    "silent": "says nothing", "off_topic": "off topic", "nothing_new": "nothing new", "nudge": "nudges",
}  # fmt: skip
"""How a feature is noted. ``late`` is not, since the prompt tells the turn, nor ``take_above_target``, since the cut's
size does."""
_CUTS = ((0.25, "small"), (0.6, "half"), (0.95, "large"), (float("inf"), "full"))
"""Shares of the cut to the goal, and how they are called."""


MARKS = {
    "<capitals>": "all capitals", "<signs>": "rows of signs", "<unfinished>": "unfinished", "<foreign>": "other script",
    "<code>": "code signs", "<label>": "label first", "<long>": "very long", "<own>": "said before",
    "<manager's>": "manager's own words", "<twice>": "doubled words",
}  # fmt: skip
"""How a mark of the text is noted."""


def notes(view: ReplyView) -> str:
    """Return the notes on a reply, such as "new reason, takes half cut"; "nothing" where there is nothing to note."""
    view = judged_reply(view)
    found = []
    for name, value in zip(FEATURES, view.features, strict=True):
        if value <= 0.0 or name not in NAMES:
            continue
        text = NAMES[name]
        if name == "take_cut":
            text = f"takes {next(word for limit, word in _CUTS if value < limit)} cut"
        found.append(text)
    found += [MARKS[mark] for mark in text_marks(view)]
    prepared = prepare(view.text)
    if any(not claim.true for claim in view.claims):
        found.append("unknown figure")
    if _names_goal(view):
        found.append("names the goal")
    if RuleReward.shipped().finds("internal-term", view, prepared):
        found.append("internal term")
    return ", ".join(found) or "nothing"


def _names_goal(view: ReplyView) -> bool:
    """Whether a reply holds a target's figure that the manager has not said."""
    goals = {float(ticket.target_price) for ticket in view.card.tickets}
    here = {value for value, percent in said_figures(Utterance(view.text, view.acts)) if not percent}
    if not here & goals:
        return False
    known = {value for said in view.manager_said for value, _ in said_figures(said)} | set(view.game.quote)
    return bool((here & goals) - known)


ARTIFACTS = Path(__file__).with_name("artifacts")
"""The shipped adapters: ``rm-small``."""
READING = "reading.json"
"""File of a reward adapter that says which tokens follow a reply before it is read."""
REWARD = "reward"


class ReadReply(NamedTuple):
    """What an adapter made of a reply: (places, outputs), or why there is nothing."""

    outputs: tuple[tuple[float, ...], ...] = ()
    fault: str | None = None


class ReplyReader:
    """Reads replies with a reward model's adapter.

    Args:
        base: name of the base: "smollm2", a folder, or a Hub id.
        rubric: whose dimensions stand behind a reply; None takes the shipped one.
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
        self._known: OrderedDict[bytes, dict[str, ReadReply]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, name: str, folder: str | Path) -> None:
        """Add the adapter of a folder as ``REWARD``, in place of an earlier one.

        Raises:
            EngineSpecError: where the folder holds no such adapter of this base.
            DataFileError: if a reward adapter reads behind another form than this reader's.
        """
        behind = name == REWARD and self._behind_form(Path(folder))
        head = load_head(self.base, folder, None)
        with self._lock:
            self._heads[name] = head
            self._reward_behind = behind if name == REWARD else self._reward_behind
            for outcomes in self._known.values():
                outcomes.pop(name, None)

    def read(self, views: Sequence[ReplyView], name: str) -> list[ReadReply]:
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
        suffix = read_json(path, _ReadingFile).suffix
        if suffix and suffix != self.form.suffix:
            raise DataFileError(
                f"{path}: expected the tokens {list(self.form.suffix)} of the rubric's dimensions, got {list(suffix)}: "
                "give the reward model a reader of its own, with the rubric that it was trained with"
            )
        return bool(suffix)

    def _text(self, view: ReplyView) -> ReadText:
        head, body = self.chat.prompt_ids(prompt(view)), self.chat.reply_ids(without_orders(view.text))
        end = len(head) + len(body)
        if not self._reward_behind:
            return ReadText(head + body, {REWARD: (end - 1,)})
        ids = head + self.form.reply(view.text, notes(view)) + self.form.aside(view.text)
        return ReadText(ids, {REWARD: (len(ids) - 1,)})

    def _outcomes(self, texts: Sequence[ReadText]) -> list[dict[str, ReadReply]]:
        """Read texts with every adapter; in halves where memory does not suffice, so that a fault is one text's own."""
        try:
            read = TextScorer(self.base, self._heads).read(texts)
        except RuntimeError as error:  # torch reports lack of memory, and most else, so
            if len(texts) == 1:
                fault = f"{type(error).__name__}: {str(error)[:300]}"
                return [dict.fromkeys(self._heads, ReadReply(fault=fault))]
            half = len(texts) // 2
            return self._outcomes(texts[:half]) + self._outcomes(texts[half:])
        return [
            {
                name: ReadReply(tuple(tuple(float(x) for x in row) for row in out.tolist()))
                if bool(out.isfinite().all())
                else ReadReply(fault="the model's output is not a number")
                for name, out in outputs.items()
            }
            for outputs in read
        ]


class _ReadingFile(BaseModel):
    """How a reward adapter reads: the tokens that follow a reply."""

    suffix: tuple[int, ...]


@cache
def shipped_reader(device: str = "auto") -> ReplyReader:
    """Return the one reader that the shipped adapters share; adapters are added when they are first asked for."""
    return ReplyReader(device=device)


def shipped_folder(name: str) -> Path:
    """Return the folder of a shipped adapter."""
    return ARTIFACTS / name
