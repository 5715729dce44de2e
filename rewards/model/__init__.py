"""RM: which of two replies somebody prefers who reads the chat (Bradley and Terry 1952): light by default.

``ngram_model`` is the light one, fitted by ``ngram_fit``; ``encoder_model`` the one on a sentence encoder, trained by
``encoder_training``; both learn from written pairs and see the chat alone, and ``reference`` has their zero and bounds.
``act_fit`` scores moves without text. ``adapter_model`` is a LoRA adapter on a language model; ``model_training``
trains it, by TRL where a preset says so, on the generated pairs of ``noted_pairs``.
"""
