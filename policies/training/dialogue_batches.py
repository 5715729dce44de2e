"""Whole dialogues as passes of tokens, with the other replies that were written for their turns, and losses on them.

A dialogue is one text. A reply that could have been sent instead is a branch of it, which sees what was said before its
turn and itself, at the positions that it would have had; so each reply is computed as it would be in a dialogue of its
own, and what came before it is computed once. Dialogues lie one behind another, without padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import torch
from transformers import PreTrainedTokenizerBase

from negotiation_env.engines.exact.trees import TextTree, lay_out
from simulators.people.conversations import LEAST_QUALITY, Conversation
from simulators.people.graded_replies import grade_of

Row: TypeAlias = dict[str, list[int]]
IGNORED: Final = -100
"""Label of a token that is not learned."""


class ReplySpan(NamedTuple):
    """A reply among a row's tokens: where they begin and end, its turn's place in the dialogue, its grade."""

    start: int
    stop: int
    turn: int
    grade: int


def dialogue_row(tokenizer: PreTrainedTokenizerBase, line: Conversation, least: int = 1) -> Row:
    """Return a conversation's tokens; of the replies that were not sent, those graded ``least`` or better.

    ``input_ids``: of the dialogue, then of its branches; ``lengths``: of the dialogue and of each branch; ``begins``:
    how many of the dialogue's tokens come before each branch; ``spans``: four numbers a graded reply (``ReplySpan``).
    A reply's tokens include the end of its message, not the header before it.
    """
    chat = [{"role": message["role"], "content": message["content"]} for message in line.messages]
    ids: list[int] = []
    spans: list[ReplySpan] = []
    branches: list[tuple[int, list[int], ReplySpan]] = []
    written = ""
    for place, grade in enumerate(line.grades):
        whole = str(tokenizer.apply_chat_template(chat[: place + 1], tokenize=False))
        if chat[place]["role"] == "assistant":
            opened = str(tokenizer.apply_chat_template(chat[:place], tokenize=False, add_generation_prompt=True))
            head = _ids(tokenizer, opened[len(written) :])
            for other in line.others:
                if other.at == place and other.grade >= least:
                    reply = [*_ids(tokenizer, other.text), int(tokenizer.eos_token_id)]
                    own = ReplySpan(len(head), len(head) + len(reply), place, other.grade)
                    branches.append((len(ids), head + reply, own))
            ids += head
            # What the template puts behind the end of a message is the next one's.
            new = _ids(tokenizer, whole[len(opened) :])
            if grade is not None:
                end = new.index(int(tokenizer.eos_token_id)) + 1
                spans.append(ReplySpan(len(ids), len(ids) + end, place, grade))
        else:
            new = _ids(tokenizer, whole[len(written) :])
        ids += new
        written = whole
    row: Row = {"lengths": [len(ids)], "begins": []}
    for begins, tokens, span in branches:
        spans.append(span._replace(start=len(ids) + span.start, stop=len(ids) + span.stop))
        ids += tokens
        row["lengths"].append(len(tokens))
        row["begins"].append(begins)
    return row | {"input_ids": ids, "spans": [number for span in spans for number in span]}


def spans_of(row: Mapping[str, list[int]]) -> Iterator[ReplySpan]:
    """Yield the graded replies of a row."""
    numbers = row["spans"]
    for place in range(0, len(numbers), 4):
        yield ReplySpan(*numbers[place : place + 4])


def imitated(row: Mapping[str, list[int]]) -> bool:
    """Whether SFT has something to learn from a row."""
    return any(span.grade >= LEAST_QUALITY for span in spans_of(row))


def compared(row: Mapping[str, list[int]]) -> list[tuple[int, int]]:
    """Return every two replies of a turn, by their places among the row's, of which the first is better."""
    spans = list(spans_of(row))
    return [
        (i, j)
        for i, better in enumerate(spans)
        for j, worse in enumerate(spans)
        if better.turn == worse.turn and is_better(better.grade, worse.grade)
    ]


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def one_pass(rows: Sequence[Mapping[str, list[int]]], number: torch.dtype) -> dict[str, Any]:
    """Return what a model with this project's attention takes: rows behind one another, [1, tokens].

    Args:
        rows: see ``dialogue_row``.
        number: the model's number format.
    """
    laid = lay_out([_tree(row) for row in rows], torch.device("cpu"), number)
    return {
        "input_ids": laid.ids,
        "position_ids": laid.positions,
        "attention_mask": torch.zeros(1, 1, 1, 1),  # unread: trees have their own
        "trees": laid.parts,
    }


def _tree(row: Mapping[str, list[int]]) -> TextTree:
    texts, place = [], 0
    for length in row["lengths"]:
        texts.append(tuple(row["input_ids"][place : place + length]))
        place += length
    return TextTree(texts[0], tuple(texts[1:]), tuple(row["begins"]))


def reply_batch(rows: Sequence[Mapping[str, list[int]]], number: torch.dtype) -> dict[str, Any]:
    """Return SFT's batch: a pass (``one_pass``) in which the replies that are graded well enough have labels.

    ``labels`` [1, tokens]: the token's id where it is learned, else -100.
    """
    labels: list[int] = []
    for row in rows:
        own = [IGNORED] * len(row["input_ids"])
        for span in spans_of(row):
            if span.grade >= LEAST_QUALITY:
                own[span.start : span.stop] = row["input_ids"][span.start : span.stop]
        labels += own
    return one_pass(rows, number) | {"labels": torch.tensor([labels])}


def reply_loss(model: Any, batch: Mapping[str, Any], tokens: int | torch.Tensor | None = None) -> torch.Tensor:
    """Return the cross-entropy of the tokens to learn, in nats: their sum by ``tokens``, or their mean."""
    wanted = batch["labels"][0, 1:]
    learnt = (wanted != IGNORED).nonzero()[:, 0]
    total = -token_logprobs(model, batch, learnt, wanted[learnt]).sum()
    return total / (max(len(learnt), 1) if tokens is None else tokens)


def token_logprobs(model: Any, batch: Mapping[str, Any], places: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Return the log-probabilities of tokens behind the tokens at these places of a pass.

    The vocabulary's layer, a fifth of a small model, is asked there alone.
    """
    inputs = {name: batch[name] for name in ("input_ids", "position_ids", "attention_mask", "trees")}
    hidden = model.get_decoder()(**inputs, use_cache=False).last_hidden_state[0, places]
    logits = model.get_output_embeddings()(hidden).float()
    return -torch.nn.functional.cross_entropy(logits, tokens, reduction="none")


def pair_batch(rows: Sequence[Mapping[str, list[int]]], number: torch.dtype) -> dict[str, Any]:
    """Return DPO's batch: a pass (``one_pass``) with every two replies of a turn of which one is graded better.

    ``replies`` [replies, 2]: where the graded replies' tokens begin and end in it; ``pairs`` [pairs, 2]: which of
    them is better than which.
    """
    replies: list[tuple[int, int]] = []
    pairs: list[tuple[int, int]] = []
    before = 0
    for row in rows:
        pairs += [(len(replies) + i, len(replies) + j) for i, j in compared(row)]
        replies += [(before + span.start, before + span.stop) for span in spans_of(row)]
        before += len(row["input_ids"])
    found = torch.tensor(pairs).reshape(-1, 2)
    return one_pass(rows, number) | {"replies": torch.tensor(replies).reshape(-1, 2), "pairs": found}


def is_better(one: int, other: int) -> bool:
    """Whether a reply's quality is better than another's by a class (``graded_replies.grade_of``)."""
    return one > other and grade_of(one) != grade_of(other)


def reply_logprobs(model: Any, batch: Mapping[str, Any]) -> torch.Tensor:
    """Return log p of each reply of a comparison's batch, [replies], in nats."""
    spans = batch["replies"].tolist()
    places = torch.tensor([place for start, stop in spans for place in range(start - 1, stop - 1)])
    tokens = batch["input_ids"][0, places + 1]
    logprobs = token_logprobs(model, batch, places, tokens)
    return torch.stack([part.sum() for part in torch.split(logprobs, [stop - start for start, stop in spans])])


def preference_loss(
    own: torch.Tensor, reference: torch.Tensor, pairs: torch.Tensor, beta: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return DPO's loss (equation 7 of Rafailov et al. 2023), a mean over pairs, and each pair's margin of rewards.

    Args:
        own: log-probabilities of the replies under the policy, [replies].
        reference: the same under the reference.
        pairs: which reply is better than which, [pairs, 2].
        beta: strength of the pull towards the reference.
    """
    rewards = beta * (own - reference)
    margins = rewards[pairs[:, 0]] - rewards[pairs[:, 1]]
    return -torch.nn.functional.logsigmoid(margins).mean(), margins.detach()
