"""Language-model engines behind one protocol; importing this imports no torch."""

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
