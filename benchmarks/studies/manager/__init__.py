"""The hotel manager, measured: ``negotiate study manager`` (``manager_study``).

``manager_talks`` plays negotiations in lock-step; ``content_probes`` asks what better words earn (``probes``, written
blind), ``soundness`` how it bargains, ``exploits`` which tricks pay, ``floor_guesses`` how near its floor can be
guessed, ``human_likeness`` how it compares with people, ``persona_separation`` whether personas can be told apart.
"""
