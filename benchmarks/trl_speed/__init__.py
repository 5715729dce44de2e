"""REPO's on-policy loop against TRL's GRPOTrainer: seconds per sampled reply and peak memory, in one run."""
