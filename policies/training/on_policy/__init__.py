"""PPO, GRPO and REPO: one loop; the methods differ in reward, advantage and regulariser alone.

A round in order: ``loop`` plays dialogues (``samples``), whose replies are scored as they are said; ``methods`` turns
rewards into advantages and says the loss (``losses``); ``learner`` steps the two adapters of ``actor_critic``;
``evaluation`` measures on held-out dialogues. A new method is a class in ``methods``.
"""
