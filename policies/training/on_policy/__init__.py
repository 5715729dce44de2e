"""PPO, GRPO and REPO: one loop; the methods differ in reward, advantage and regulariser alone.

A round is ``loop``'s, from top to bottom: ``samples.play`` samples replies and has them scored, here or on other
machines (``shared_play``), ``methods`` says advantage and loss (formulas in ``losses``), and the loop's ``Learner``
steps the two adapters of ``actor_critic``. ``evaluation`` measures on held-out dialogues. A new method is a class in
``methods``.
"""
