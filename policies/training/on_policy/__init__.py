"""The on-policy loop that PPO, GRPO and REPO share; they differ in reward, advantage and regulariser alone."""
