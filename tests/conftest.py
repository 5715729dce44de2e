"""Settings of the whole suite: no network, one thread per process, repeatable property tests."""

import os

from hypothesis import settings

# Before any test module imports a numeric library: they read these once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# A deadline would make a test depend on the machine's load; derandomize makes each run the same.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
