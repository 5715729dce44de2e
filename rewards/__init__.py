"""REPO's reward sources: preference model (RM), judge (RJ), rules (RF), and their combination."""
