"""From episodes to figures.

``judging`` gathers what is said of one episode and says what a metric is; ``outcome_metrics`` (fixes, agreements,
prices), ``rating_metrics`` (the panel) and ``policy_metrics`` (the rest, and the whole table of a policy) declare the
metrics; ``observations`` keeps what each episode adds to each figure. A new metric is an entry in one of the tables.
"""
