"""What every training run shares: ``presets`` (settings), ``run_folder`` (files of a run), ``lora`` (adapters).

Importing ``presets`` and ``run_folder`` imports no torch.
"""
