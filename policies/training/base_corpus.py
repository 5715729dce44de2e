"""Text that the tiny base model is trained on: prompts of the agent with replies of every kind, good and bad.

Two sources. Negotiations with the rule-based manager, in which each reply is drawn from one of several policies or
habits, so that dialogues wander as they do with an unskilled agent. And sampled situations, in which the manager speaks
in bare words. Nothing is chosen for its quality: the base model is to speak the domain, not to negotiate well. All of
it is generated, and follows from the seed. Situations and phrases of the held-out preference data are not in it.
"""
# MERGED-DOC """The tiny base's tokenizer: byte-level byte-pair encoding trained on the corpus, with ChatML.
# MERGED-DOC
# MERGED-DOC Digits stand alone, so that a price is read and written figure by figure. Every text has an encoding. Sentences that
# MERGED-DOC every other prompt repeats word for word are one token each, because every token is paid for at every turn. Does not
# MERGED-DOC know models.
# MERGED-DOC """

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from negotiation_env.engines.chat_model import ChatMessage
from negotiation_env.game.lanes import FLOATS
from negotiation_env.game.scenario import scenario_of
from negotiation_env.play.prompts import prompt
from negotiation_env.play.protocols import AgentReply, AgentView, Policy, ReplyView, Unscored
from negotiation_env.play.registry import load_manager, load_policy
from negotiation_env.play.rollout import rollout
from negotiation_env.seeds import Stream
from simulators.people.preferences import draw_candidate
from simulators.people.situations import Situation, sample_situation

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


SCRIPTED = ("random", "heuristic", "intent-driven", "intent-driven", "sb3")
"""Policies that a reply is drawn from; repeated entries are likelier."""
HABITS = 0.5
"""Share of replies that come from the candidate replies of the preference data, damage to their text included."""
FROM_SITUATIONS = 0.3
"""Share of examples that come from sampled situations."""
TURNS_KEPT = 0.35
"""Share of a negotiation's turns that become examples: neighbours share most of their text."""
MAX_TURNS = 14
_WAVE = 64
_KIND, _TAKE = 1, 2


class MixedPolicy:
    """Draws each reply from one of several policies or habits, by the view's seed, and keeps some as examples."""

    name = "mixed"

    def __init__(self) -> None:
        self._policies: list[Policy] = [load_policy(name) for name in SCRIPTED]
        self.examples: list[list[ChatMessage]] = []

    def reply(self, views: Sequence[AgentView]) -> list[AgentReply]:
        """Return one reply per view, in order."""
        return [self._one(view) for view in views]

    def _one(self, view: AgentView) -> AgentReply:
        luck = float(FLOATS.draw(view.seed, _KIND, 0))
        if luck < HABITS:
            situation = Situation(view.seed, view.card, view.game, tuple(view.agent_said), tuple(view.manager_said))
            rng = np.random.default_rng((Stream.CORPUS_REPLY, view.seed))
            reply = AgentReply(draw_candidate(situation, rng, held_out=False).view.text)
        else:
            place = int((luck - HABITS) / (1.0 - HABITS) * len(self._policies))
            reply = self._policies[place].reply([view])[0]
        if reply.text and FLOATS.draw(view.seed, _TAKE, 0) < TURNS_KEPT:
            self.examples.append(_example(view, reply.text))
        return reply


def _example(view: AgentView | ReplyView, text: str) -> list[ChatMessage]:
    return [*prompt(view), {"role": "assistant", "content": text}]


def negotiated(seed: int) -> Iterator[list[ChatMessage]]:
    """Yield examples from negotiations with the rule-based manager, without end."""
    policy, manager, reward = MixedPolicy(), load_manager("rules"), Unscored()
    rng = np.random.default_rng((Stream.CORPUS_NEGOTIATION, seed))
    while True:
        scenarios = [scenario_of("base", int(s)) for s in rng.integers(1 << 62, size=_WAVE)]
        policy.examples = []
        rollout(policy, scenarios, manager=manager, reward=reward, max_turns=MAX_TURNS)
        order = rng.permutation(len(policy.examples))
        yield from (policy.examples[int(i)] for i in order)


def sampled(seed: int) -> Iterator[list[ChatMessage]]:
    """Yield examples from sampled situations, without end."""
    rng = np.random.default_rng((Stream.CORPUS_SITUATION, seed))
    while True:
        situation = sample_situation(int(rng.integers(1 << 39)))
        view = draw_candidate(situation, rng, held_out=False).view
        if view.text:
            yield _example(view, view.text)


def write_corpus(path: Path, examples: int, seed: int) -> str:
    """Write ``examples`` chats as JSON Lines of ``{"messages": [...]}``; return the file's SHA-256.

    The file appears whole or not at all; one that is there is replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng((Stream.CORPUS_ORDER, seed))
    sources = (negotiated(seed), sampled(seed))
    part = path.with_name(path.name + ".part")
    digest = hashlib.sha256()
    with part.open("wb") as stream:
        for _ in range(examples):
            line = json.dumps({"messages": next(sources[int(rng.random() < FROM_SITUATIONS)])}, ensure_ascii=False)
            data = line.encode() + b"\n"
            digest.update(data)
            stream.write(data)
    part.replace(path)
    return digest.hexdigest()
