"""Who is better: within a run (``paired_policies``), between two (``run_folders``), among all (``leaderboard``).

``flips`` has the cases that two runs decide otherwise, and the page of a comparison.
"""
