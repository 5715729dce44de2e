"""The reader ``encoder``: a sentence encoder fine-tuned on written dialogues.

Importing this module imports no model; ``load_encoder`` does.
"""

from __future__ import annotations

from negotiation_env.errors import UsageError
from negotiation_env.language.reading import Reader


def encoder_installed() -> bool:
    """Whether everything that the reader needs is installed. Cheap: nothing is loaded."""
    return False


def load_encoder() -> Reader:
    """Return the reader.

    Raises:
        UsageError: a library or the model is missing; says what to install.
    """
    raise UsageError("expected the model of reader 'encoder', which is not part of this installation: take 'rules'")
