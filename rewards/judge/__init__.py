"""RJ: points by a rubric (``rubric.toml``) of yes-or-no questions, filled in from the very case (``case_questions``).

``distilled_judge``, on ``light_features``, is the default; ``llm_judge`` asks any engine. Neither is shown sentences
that speak to it (``judge_orders``). ``judge_labels`` has the true answers, ``judge_data`` the replies to train and test
on, ``judge_figures`` measures, ``light_training`` trains.
"""
