"""All methods at one scale, trained and compared by one command: ``python -m benchmarks.methods``.

``experiment`` says which runs there are, ``training`` and ``evaluation`` make one run's files, ``processes`` runs them,
``figures`` to ``sentences`` say what came out, ``markdown`` writes it for people. Everything lies in one folder, and
the same command goes on after a kill.
"""
