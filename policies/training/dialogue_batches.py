"""Whole dialogues as batches of tokens, with the other replies that were written for their turns.

A dialogue is one text. A reply that could have been sent instead is a branch of it, which sees what was said before its
turn and itself, at the positions that it would have had; so each reply is computed as it would be in a dialogue of its
own, and what came before it is computed once. Dialogues lie one behind another, without padding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from transformers import PreTrainedTokenizerBase

from negotiation_env.engines.exact.trees import TextTree, lay_out
from simulators.people.conversations import Conversation

IGNORED: Final = -100
"""Label of a token that is not learned."""
Row = dict[str, list[int]]


def labelled(tokenizer: PreTrainedTokenizerBase, line: Conversation) -> Row:
    """Return a conversation's tokens.

    ``input_ids``: of the dialogue, then of its branches; ``labels``: the tokens of the replies to learn, their end
    tokens included; ``lengths``: of the dialogue and of each branch; ``begins``: how many of the dialogue's tokens come
    before each branch.
    """
    chat = [{"role": message["role"], "content": message["content"]} for message in line.messages]
    others: dict[int, list[str]] = {}
    for place, text in line.others:
        others.setdefault(place, []).append(text)
    row: Row = {"input_ids": [], "labels": []}
    branches: list[tuple[int, list[int], list[int]]] = []
    written = ""
    for place, learn in enumerate(line.learn):
        # As the chat template has it: a message's header is not learned, and what follows its end is the next one's.
        whole = str(tokenizer.apply_chat_template(chat[: place + 1], tokenize=False))
        if chat[place]["role"] == "assistant":
            opened = str(tokenizer.apply_chat_template(chat[:place], tokenize=False, add_generation_prompt=True))
            head, begins = _ids(tokenizer, opened[len(written) :]), len(row["input_ids"])
            for text in others.get(place, ()):
                reply = [*_ids(tokenizer, text), int(tokenizer.eos_token_id)]
                branches.append((begins, head + reply, [IGNORED] * len(head) + reply))
            row["input_ids"] += head
            row["labels"] += [IGNORED] * len(head)
            new = _ids(tokenizer, whole[len(opened) :])
            end = new.index(int(tokenizer.eos_token_id)) + 1
            row["labels"] += (new[:end] if learn else [IGNORED] * end) + [IGNORED] * (len(new) - end)
        else:
            new = _ids(tokenizer, whole[len(written) :])
            row["labels"] += [IGNORED] * len(new)
        row["input_ids"] += new
        written = whole
    row |= {"lengths": [len(row["input_ids"])], "begins": []}
    for begins, ids, labels in branches:
        row["input_ids"] += ids
        row["labels"] += labels
        row["lengths"].append(len(ids))
        row["begins"].append(begins)
    return row


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


class DialogueBatches:
    """Makes one pass of ``labelled`` rows, for ``transformers.Trainer`` and a model with this project's attention.

    Args:
        number: the model's number format.
    """

    def __init__(self, number: torch.dtype) -> None:
        self.number = number

    def __call__(self, rows: Sequence[Mapping[str, list[int]]]) -> dict[str, Any]:
        """Return what the model takes.

        ``input_ids``, ``labels`` and ``position_ids`` are [1, tokens]; ``trees`` says which tokens see which.
        """
        laid = lay_out([_tree(row) for row in rows], torch.device("cpu"), self.number)
        return {
            "input_ids": laid.ids,
            "position_ids": laid.positions,
            "labels": torch.tensor([[label for row in rows for label in row["labels"]]]),
            "attention_mask": torch.zeros(1, 1, 1, 1),  # unread: trees have their own
            "trees": laid.parts,
        }


def reply_loss(model: Any, batch: Mapping[str, Any], tokens: int | torch.Tensor | None = None) -> torch.Tensor:
    """Return the cross-entropy of the tokens to learn, in nats: their sum by ``tokens``, or their mean.

    The vocabulary's layer, a fifth of a small model, is asked at these tokens alone.
    """
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    hidden = model.get_decoder()(**inputs, use_cache=False).last_hidden_state[0, :-1]
    wanted = batch["labels"][0, 1:]
    learnt = wanted != IGNORED
    logits = model.get_output_embeddings()(hidden[learnt]).float()
    total = torch.nn.functional.cross_entropy(logits, wanted[learnt], reduction="sum")
    return total / (learnt.sum().clamp(min=1) if tokens is None else tokens)


def _tree(row: Mapping[str, list[int]]) -> TextTree:
    texts, place = [], 0
    for length in row["lengths"]:
        texts.append(tuple(row["input_ids"][place : place + length]))
        place += length
    return TextTree(texts[0], tuple(texts[1:]), tuple(row["begins"]))
