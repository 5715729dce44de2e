"""From episodes to figures.

``judging`` gathers what is said of one episode, ``observations`` what it adds to each figure.
``policy_metrics`` is the whole table of a policy, of ``outcome_metrics`` (fixes, agreements, prices) and
``rating_metrics`` (the panel).
"""
