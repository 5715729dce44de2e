"""What trained reward sources share: presets, adapters on a frozen base and their loop, figures.

A source's own training stands with the source (``rewards.model.model_training``, ``rewards.judge.light_training``);
that of adapters uses ``adapter_training`` in ``adapter_loop`` over ``frozen_layers``; ``held_out_figures`` measures.
New settings go into ``reward_presets`` and ``presets/*/*.toml``.
"""
