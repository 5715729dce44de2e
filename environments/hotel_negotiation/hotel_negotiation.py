"""The module under whose name ``verifiers`` finds this environment: ``vf-eval hotel-negotiation``."""

from policies.integrations.verifiers_env import *  # noqa: F403  # what verifiers looks for is in its __all__
from policies.integrations.verifiers_env import __all__

__all__ = [*__all__]
