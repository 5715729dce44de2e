"""What every training run shares: presets read from TOML, and the folder that a run writes. Imports no torch."""
