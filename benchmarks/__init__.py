"""Benchmarks: who plays what, what is checked, what the figures are, and the ``negotiate`` command.

- ``suites``: cases to play (``bad_cases/*.toml``, ``online.toml``, sampled ones); ``checks``: what a case's fix must
  hold, and problems in any reply; ``raters``: the automated panel.
- ``runner``: plays and judges episodes into a folder; ``metrics``: from episodes to figures; ``statistics``:
  intervals and tests; ``comparison``: policies side by side, two folders, the leaderboard; ``report``: the page and
  its JSON.
- ``studies``: one-off measurements, each run as ``negotiate study NAME``; ``cli``: every other command.

A new case is a TOML file; a new metric is an entry of the tables in ``metrics``; a new study is a module in ``studies``
with a command and its line in ``studies.STUDIES``. Checks and raters share no code with ``rewards``.
"""
