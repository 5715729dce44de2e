"""RM: which of two replies somebody prefers who reads the chat (Bradley and Terry 1952): light by default.

``ngram_model`` is the light one, fitted by ``ngram_fit``; ``encoder_model`` the one on a sentence encoder, trained by
``encoder_training``; ``adapter_model`` a LoRA adapter on a language model, trained by ``model_training``. All see the
chat alone and learn from written pairs, by the loss of ``compared_talks``; ``reference`` has their zero and bounds.
``act_fit`` scores moves without text.
"""
