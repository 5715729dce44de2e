"""Language-model engines behind one protocol; importing this imports no torch."""

from negotiation_env.engines.loading import load_engine
from negotiation_env.engines.protocol import (
    ChatMessage,
    ChatModel,
    ChatReply,
    ChatRequest,
    EngineMissingError,
    EngineSpecError,
)

__all__ = [
    "ChatMessage",
    "ChatModel",
    "ChatReply",
    "ChatRequest",
    "EngineMissingError",
    "EngineSpecError",
    "load_engine",
]
