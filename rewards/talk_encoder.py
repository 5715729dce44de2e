"""MiniLM with a LoRA and one head on a talk and a reply to it: the network of the encoder reward model.

A text is what was said last on both sides, and the reply; no card, no figure of the state. Eight-bit weights on ONNX
Runtime; each reply goes through alone, so that its score does not depend on what else is scored (dynamic quantisation
scales by batch), and a batch wins nothing on texts this short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.errors import UsageError
from negotiation_env.language.encoder_build import base_folder, encoder_weights, missing, onnx_model
from negotiation_env.language.encoder_heads import mlp
from negotiation_env.language.encoder_input import Floats
from negotiation_env.language.gloss import gloss
from negotiation_env.play.protocols import ReplyView

MOST_HEARD: Final = 240
"""Characters of the hotel's last message that are read: its end."""
MOST_OWN: Final = 80
"""Characters of the agent's message before, likewise."""
MOST_SAID: Final = 600
"""Characters of the reply."""
MOST_TOKENS: Final = 192
MOST_SAID_TOKENS: Final = 150
"""Tokens of the reply that are read before any of the talk."""
NO_REPLY: Final = "."
FIRST: Final = "(first message)"
HEAD: Final = "score"


class TalkText(NamedTuple):
    """What is read: the talk's end, and the reply."""

    talk: str
    reply: str


def talk_text(own: str, heard: str, reply: str) -> TalkText:
    """Return what is read of a reply behind the agent's message before and the hotel's last one, "" for none.

    Chinese, which MiniLM hardly knows, is put into English word by word.
    """
    before = f"agent: {gloss(own)[-MOST_OWN:]} " if own else ""
    talk = f"{before}hotel: {gloss(heard)[-MOST_HEARD:] if heard.strip() else FIRST if not own else '(no answer)'}"
    return TalkText(talk, gloss(reply)[:MOST_SAID].strip() or NO_REPLY)


def text_of_view(view: ReplyView) -> TalkText:
    """Return what is read of a reply in play."""
    own, heard = (said[-1].text if said else "" for said in (view.agent_said, view.manager_said))
    return talk_text(own, heard, view.text)


def text_of_chat(prompt: Sequence[ChatMessage], reply: str, no_answer: str) -> TalkText:
    """Return what is read of a reply to chat messages of which the last is the hotel's, ``no_answer`` its silence."""
    own = next((m["content"] for m in reversed(prompt) if m["role"] == "assistant"), "")
    heard = prompt[-1]["content"] if own and prompt[-1]["content"] != no_answer else ""
    return talk_text(own, heard, reply)


class TalkTokens(NamedTuple):
    """A text in tokens."""

    ids: tuple[int, ...]
    said: int
    """Place of the reply's first token; it goes on to the end."""


def talk_tokens(tokenizer: Any, text: TalkText) -> TalkTokens:
    """Return a text in tokens, at most ``MOST_TOKENS``: the reply's beginning, and the end of the talk before it."""
    read = tokenizer.encode(text.talk, text.reply)
    ids, said = tuple(read.ids), read.type_ids.index(1)
    if len(ids) > MOST_TOKENS:
        # A sign stands before the talk, one between talk and reply, and one behind.
        talk, reply = ids[1 : said - 1], ids[said:-1]
        room = MOST_TOKENS - 3
        reply = reply[: max(MOST_SAID_TOKENS, room - len(talk))]
        talk = talk[max(0, len(talk) + len(reply) - room) :]
        ids, said = (ids[0], *talk, ids[said - 1], *reply, ids[-1]), len(talk) + 2
    return TalkTokens(ids, said)


def pooled(hidden: Floats, said: int) -> Floats:
    """Return what the head is given, [3 * width]: the first vector, the reply's mean, its product with the talk's."""
    reply, talk = hidden[said:].mean(axis=0), hidden[:said].mean(axis=0)
    return np.concatenate([hidden[0], reply, reply * talk])


class TalkEncoder:
    """Runs the network.

    Args:
        session: an ONNX Runtime session of the encoder.
        weights: of the head.
        tokenizer: the encoder's.
    """

    def __init__(self, session: Any, weights: Mapping[str, Floats], tokenizer: Any) -> None:
        self._session, self._weights, self._tokenizer = session, weights, tokenizer

    def outputs(self, texts: Sequence[TalkText]) -> Floats:
        """Return the head's outputs [N, outputs]; a row is what its text gives alone."""
        return np.stack([self._one(text) for text in texts]) if texts else np.zeros((0, 1), np.float32)

    def _one(self, text: TalkText) -> Floats:
        tokens = talk_tokens(self._tokenizer, text)
        ids = np.array([tokens.ids], dtype=np.int64)
        (hidden,) = self._session.run(None, {"ids": ids, "mask": np.ones_like(ids)})
        return mlp(pooled(hidden[0], tokens.said), self._weights, HEAD)


def load_talk_encoder(folder: Path) -> TalkEncoder:
    """Return the network of a folder. The first time on a machine it takes about a minute.

    Raises:
        UsageError: something is not installed, or the folder holds no encoder.
    """
    lack = missing(folder)
    if lack is not None:
        raise UsageError(f"expected an encoder in {folder} and what it needs, it lacks {lack}")
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = str(onnx_model(folder, eight_bit=True))
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(base_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return TalkEncoder(session, encoder_weights(folder), tokenizer)
