"""RJ: points by a rubric (``rubric.toml``): a language model that is asked, an adapter, or a light scorer by default.

``llm_judge`` asks any engine, ``adapter_judge`` reads all answers in one pass of a ``judge_form``, ``distilled_judge``
is the default; none is shown sentences that speak to it (``judge_orders``). ``judge_training``, ``judge_data`` and
``judge_figures`` train and measure the adapter; ``rubric_annotator`` labels.
"""
