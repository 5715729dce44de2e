"""Settings of the whole suite: no network, one thread per process, repeatable property tests, long files first."""

import os
from pathlib import Path

import pytest
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

LONG_FILES = (
    "benchmarks/methods/test_comparison.py",
    "policies/test_reader_training.py",
    "rewards/test_adapter_training.py",
)
"""The files that take longest, the longest first. Workers take whole files: begun last, one of these would leave the
others idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; all else stays in its order."""
    order = {Path(__file__).parent / name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: order.get(item.path, len(order)))
