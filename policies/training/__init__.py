"""Training of policies. Modules may need the ``sb3`` or ``train`` extra; nothing is imported before it is used.

``settings`` types the presets (``presets/METHOD/SCALE.toml``); ``supervised`` is SFT and DPO on TRL's trainers, which
``resumable`` completes, ``dialogue_trainers`` and ``dialogue_batches`` the same on whole dialogues, ``distillation``
makes these of a policy's own, ``imitation`` has an expert reply in a learner's states; ``on_policy`` is PPO, GRPO and
REPO; ``base_lm`` and ``base_corpus`` make the tiny base,
``sb3_ppo`` the numeric agent, ``reader`` and ``reader_thresholds`` the encoder that reads messages, ``reader_promises``
the rule reader's word model, ``content_words`` the manager's (both fit by ``word_models``), ``voice`` the hotel
manager's voice. ``plan`` says what a run will take, by ``meta_run`` on the meta device, and ``cluster`` with how many
machines (``launch`` has the files that start them). Every run's files are those of
``negotiation_env.training.run_folder``.
"""
