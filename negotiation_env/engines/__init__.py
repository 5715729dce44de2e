"""Language-model engines behind one protocol (``chat_model``); importing this imports no torch.

``specs`` opens an engine by its spec: ``transformers_engine`` in this process (``checkpoints`` loads, ``chat_text``
makes token ids, ``exact`` keeps a reply's arithmetic apart from its batch's), ``vllm_engine``, ``openai_engine`` over
HTTP (``servers`` says how, ``answers`` reads what comes back), ``recorded`` from a file. ``smollm2`` finds the embedded
model, which ``gguf_conversion`` turns into a checkpoint; ``scoring`` reads texts with several adapters at once. A new
engine is a class with ``generate`` and a line in ``specs``.
"""

from negotiation_env.engines.chat_model import (
    ChatMessage,
    ChatModel,
    ChatReply,
    ChatRequest,
    EngineMissingError,
    EngineSpecError,
)
from negotiation_env.engines.specs import load_engine

__all__ = [
    "ChatMessage",
    "ChatModel",
    "ChatReply",
    "ChatRequest",
    "EngineMissingError",
    "EngineSpecError",
    "load_engine",
]
