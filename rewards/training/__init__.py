"""Training of reward adapters: the LoRA reward model and the LoRA judge."""
