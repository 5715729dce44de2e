"""The environment and its rewards behind other libraries: ``trl_grpo``, ``verifiers_env``, ``openenv_server``.

Each gives a reply's own reward to that reply's tokens, by ``policies.turn_credit``.
"""
