"""Who is better: within a run (``paired_policies``), between two (``run_folders``), among all (``leaderboard``)."""
