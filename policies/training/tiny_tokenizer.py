"""The tiny base's tokenizer: byte-level byte-pair encoding trained on the corpus, with ChatML.

Digits stand alone, so that a price is read and written figure by figure. Every text has an encoding. Sentences that
every other prompt repeats word for word are one token each, because every token is paid for at every turn. Does not
know models.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML, as SmolLM2 and Qwen use it, without a default system message."""
STOCK_SHARE = 0.03
"""Share of system messages that a sentence must be in to become one token."""
_SENTENCE = re.compile(r"[^.:;,\n]+\.")


def stock_sentences(systems: Sequence[str]) -> list[str]:
    """Return what many system messages repeat word for word: how all of them begin, and sentences without figures."""
    counts = Counter(found.strip() for text in systems for found in set(_SENTENCE.findall(text)))
    common = [s for s, n in counts.items() if n >= STOCK_SHARE * len(systems) and not re.search(r"\d", s)]
    first, last = min(systems, default=""), max(systems, default="")
    opening = first[
        : next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    ].rstrip()
    return sorted(s for s in {opening, *common} if len(s.split()) > 3)


def train_tokenizer(chats: Sequence[list[dict[str, str]]], vocabulary: int, context: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer of at most ``vocabulary`` entries, the 256 bytes and three special tokens among them.

    The same chats in the same order give the same tokenizer.
    """
    texts = (f"{message['role']}\n{message['content']}" for chat in chats for message in chat)
    stock = stock_sentences([m["content"] for chat in chats for m in chat if m["role"] == "system"])
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(stock),
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in stock])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
