"""Automated checks: ``case_checks`` say what a case's fix must hold, ``problems`` what is wrong in any reply.

Both read recorded acts and texts (``scene``) and phrase lists of their own (``phrases``), and share no code with the
training rewards.
"""

from typing import Final

CHECKS_VERSION: Final = 1
"""Raised with every change that can move a check."""
