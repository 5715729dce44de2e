"""Arithmetic by which a text's numbers do not depend on the texts beside it in a batch.

What it guarantees: on one machine, with one number of threads, the same request gives the same reply, bit for bit,
alone or among any others; the same text the same score. Matrix libraries order their sums by the shape of a product,
so ``shapes`` probes which batch sizes agree, ``attention`` computes each row by itself, ``trees`` lays out texts that
share a beginning, and ``decoding`` draws each row by its own seed.
What it costs: batches are padded to sizes that agree, and attention is a product per row and not one for all. Engines
that do not give the guarantee (``vllm_engine``, ``openai_engine``) do without this package.
"""
