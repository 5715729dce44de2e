"""RM: the reward model as a LoRA adapter on a language model, which reads the end of a talk and the reply behind it.

Trained by ``negotiate train rm``; ``reference`` has its zero and bounds. It sees no card, no acts and no state, and
needs the text: moves without words it cannot score. Replies are read once and remembered by content; a text's score
does not depend on the texts beside it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.engines.chat_text import ChatText
from negotiation_env.engines.checkpoints import Base
from negotiation_env.engines.scoring import ReadText, TextScorer, load_head, open_base
from negotiation_env.files import Text, read_json
from negotiation_env.game.lanes import Lanes, Num
from negotiation_env.play.protocols import ReplyView
from rewards.model.reference import FILE, Reference
from simulators.people.written_pairs import talk_messages

SHIPPED: Final = Path(__file__).parents[1] / "artifacts" / "rm-small"
MOST_TALK: Final = 240
"""Characters of the talk that are read: its end, mostly the hotel's last message and what that answers."""
ROLE: Final[ChatMessage] = {"role": "system", "content": "Hotel rates."}
"""Stands before every talk, where a chat template would put a longer text of its own."""
SCORE: Final = "reward"


def talk_end(prompt: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Return what is read of a talk's messages, all but its end left out."""
    kept: list[ChatMessage] = []
    room = MOST_TALK
    for message in reversed(prompt):
        if room <= 0:
            break
        kept.append({"role": message["role"], "content": message["content"][-room:]})
        room -= len(message["content"])
    return [ROLE, *reversed(kept)]


class AdapterRewardModel:
    """R_model from a reward adapter.

    Args:
        base: that the adapter was trained on.
        folder: the adapter, as ``negotiate train rm`` writes it.
        reference: of R_model's zero.
        remember: replies whose scores are kept, the least recently used are dropped; 0 for none.

    Raises:
        EngineSpecError: where the folder holds no reward adapter of the base.
    """

    def __init__(self, base: Base, folder: str | Path, reference: Reference, remember: int = 16_384) -> None:
        self.chat = ChatText(base.tokenizer)
        self.reference = reference
        self.remember = remember
        self._scorer = TextScorer(base, {SCORE: load_head(base, folder)})
        self._known: OrderedDict[bytes, float | None] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def from_folder(cls, folder: str | Path, device: str = "auto") -> AdapterRewardModel:
        """Load an adapter on the base that it names.

        Raises:
            EngineSpecError, DataFileError: where the folder is no whole one, or the base is not installed.
        """
        place = Path(folder)
        named = read_json(place / "adapter_config.json", _AdapterFile, "name a PEFT adapter's folder")
        reference = read_json(place / FILE, Reference)
        return cls(open_base(named.base_model_name_or_path, device), place, reference)

    @classmethod
    def shipped(cls) -> AdapterRewardModel:
        """Return the shipped model, loaded once per process."""
        return _shipped()

    def score_batch(self, views: Sequence[ReplyView]) -> list[float | None]:
        """Return R_model of replies in order, each in [-1, 1]; None where a reply could not be read."""
        found = self.chat_scores([(talk_of_view(view), view.text) for view in views])
        return [
            None if score is None else self.reference.bounded(score, int(view.stage))
            for score, view in zip(found, views, strict=True)
        ]

    def score_features(self, lanes: Lanes, features: tuple[Num, ...]) -> None:
        """Return None: this model needs the text."""
        return None

    def chat_scores(self, chats: Sequence[tuple[Sequence[ChatMessage], str]]) -> list[float | None]:
        """Return the unbounded scores of replies to chats, in order; None where one could not be read."""
        texts = [self.chat.prompt_ids(talk_end(prompt)) + self.chat.reply_ids(reply) for prompt, reply in chats]
        keys = [hashlib.blake2b(np.array(ids, dtype=np.int32).tobytes(), digest_size=16).digest() for ids in texts]
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
            fresh = {key: ids for key, ids in zip(keys, texts, strict=True) if key not in found}
            reads = [ReadText(ids, {SCORE: (len(ids) - 1,)}) for ids in fresh.values()]
            found.update(zip(fresh, self._read(reads), strict=True))
            for key in keys:
                self._known[key] = found[key]
                self._known.move_to_end(key)
            while len(self._known) > self.remember:
                self._known.popitem(last=False)
        return [found[key] for key in keys]

    def _read(self, texts: Sequence[ReadText]) -> list[float | None]:
        """Read texts; in halves where memory does not suffice, so that a fault is one text's own."""
        if not texts:
            return []
        try:
            read = [float(outputs[SCORE]) for outputs in self._scorer.read(texts)]
        except RuntimeError:  # torch reports lack of memory, and most else, so
            if len(texts) == 1:
                return [None]
            half = len(texts) // 2
            return self._read(texts[:half]) + self._read(texts[half:])
        return [score if np.isfinite(score) else None for score in read]


def talk_of_view(view: ReplyView) -> tuple[ChatMessage, ...]:
    """Return the talk before a reply; each message of the agent has its answer, which may be silence."""
    own, heard = ([u.text for u in said] for said in (view.agent_said, view.manager_said))
    return talk_messages(own, [*heard, *[""] * len(own)][: len(own)])


class _AdapterFile(BaseModel):
    base_model_name_or_path: Text


@cache
def _shipped() -> AdapterRewardModel:
    return AdapterRewardModel.from_folder(SHIPPED)
