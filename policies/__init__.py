"""The agent's side: policies that play, and how they are trained.

- ``scripted``, ``intent_driven``: act-level policies without training, on the building blocks of ``bargaining``.
- ``chat``: any language model, prompted; ``agents_file``: many of them in one TOML file; ``adapters``: the trained
  adapters that ship (``artifacts``).
- ``sb3``: a PPO agent of Stable-Baselines3 that plays in text.
- ``best_of``: the best of several replies that any of these draws.
- ``turn_credit``: what each reply of a dialogue has earned, for this project's trainers and other libraries'.
- ``training``: SFT, DPO, the on-policy methods, the tiny base, Stable-Baselines3; ``integrations``: other libraries'
  trainers on this environment.

A new policy is a class with ``name`` and ``reply`` and an entry point in ``negotiation_env.policies``; a new on-policy
method is a class in ``training.on_policy.methods``.
"""
