"""The environment and its rewards behind other libraries' trainers: ``trl_grpo``, ``verifiers_env``."""
