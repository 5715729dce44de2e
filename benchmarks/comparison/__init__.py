"""Who is better: policies within a run (``paired_policies``), two runs' folders (``run_folders``), the ``leaderboard``."""
