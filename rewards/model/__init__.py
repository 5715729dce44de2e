"""RM: which of two replies people prefer (Bradley and Terry 1952): a light model by default, or a LoRA adapter.

``preference_model`` is the light one, ``adapter_model`` the adapter; ``model_training`` trains it, by TRL
where a preset says so, on the pairs of ``noted_pairs``.
"""
