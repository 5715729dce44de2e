"""The register of randomness: every range of scenario seeds, every label, turn, channel and stream, each named once.

Nothing in this project draws from a global generator. What is drawn in an episode is a pure function of (seed, turn,
channel), see ``game.lanes``; a seed is made from another one by ``fork(seed, label)``; generated data and training
draw from ``numpy.random.default_rng((stream, ...))``. A new use gets an entry here, and ``tests/test_seeds.py`` holds
that no two entries overlap and that no number of this kind stands anywhere else.
"""

from __future__ import annotations

from enum import IntEnum, unique
from types import MappingProxyType
from typing import Final

SCENARIOS: Final = MappingProxyType(
    {
        "demo": range(40),
        "online": range(1_000_000, 1_010_000),
        "ab": range(2_000_000, 2_009_653),
        "rater validity": range(3_000_000, 3_100_000),
        "gaming": range(4_000_000, 4_100_000),
        "reward cost": range(5_000_000, 5_100_000),
        "trl speed": range(6_000_000, 6_100_000),
        "manager study": range(7_000_000, 9_000_000),
        "manager swap": range(9_000_000, 9_100_000),
        "reward lab": range(9_100_000, 9_200_000),
        "engine study": range(9_200_000, 9_300_000),
        "distilled data": range(10_000_000, 20_000_000),
        "sb3 quality": range(1_000_000_000, 1_001_000_000),
        "on-policy held out": range(2_000_000_000, 2_001_000_000),
        "on-policy training": range(3_000_000_000, 1 << 33),
        "generated data": range(1 << 33, 1 << 40),
        "generated data held out": range(1 << 40, 1 << 41),
    }
)
"""Who plays which of ``sample_scenario``'s seeds. The numbers below 1,000,000 are free for users and tests. A run of
Stable-Baselines3 trains on the seeds of its environments' own streams, which are 64-bit numbers."""

LABELS: Final = MappingProxyType(
    {
        "episode of an environment": range(1 << 16),
        "policy, by turn": range(1 << 16, 1 << 17),
        "trial, by seed of the run": range(1 << 17, 1 << 18),
        "voice, by turn": range(1 << 18, 1 << 19),
        "arm, by seed of the run": range(1 << 19, 1 << 20),
    }
)
"""Labels under which seeds are forked from an episode's."""
POLICY_LABEL: Final = LABELS["policy, by turn"].start
TRIAL_LABEL: Final = LABELS["trial, by seed of the run"].start
VOICE_LABEL: Final = LABELS["voice, by turn"].start
ARM_LABEL: Final = LABELS["arm, by seed of the run"].start

TURNS: Final = MappingProxyType(
    {
        "card": 1 << 20,
        "brief": 1 << 21,
        "persona": 1 << 22,
        "reason": 1 << 23,
        "limit": 1 << 24,
        "concern": 1 << 25,
        "house": 1 << 26,
    }
)
"""Turns, far beyond any negotiation's, at which what holds for a whole episode is drawn."""

CHANNELS: Final = MappingProxyType(
    {
        "dynamics": range(1, 900),
        "agent's words": range(900, 950),
        "manager's words": range(950, 990),
        "demands": range(990, 992),
        "remarks": range(992, 994),
        "subjects": range(994, 999),
        "conformance kit": range(1000, 1100),
    }
)
"""Channels of an episode's seed at a negotiation's turn. Policies draw from a seed of their own (``POLICY_LABEL``)."""


@unique
class Stream(IntEnum):
    """First word of a generator's seed: what it is for."""

    SITUATION = 0x517
    DIALOGUE = 0xD1A
    FILLER = 0xF11
    ANNOTATOR = 0xA11
    PAIR_ORDER = 0x5EED
    PAIR = 0xDA7A
    RANKING = 0x4A4C
    DEMONSTRATION = 0x9120BE
    HONEST_REPLY = 0x40E57
    CORPUS_REPLY = 0xBA5E
    CORPUS_NEGOTIATION = 0xC0B
    CORPUS_SITUATION = 0x51D
    CORPUS_ORDER = 0xBA11
    CORPUS_NAMES = 0xBA3E
    BASE_BATCH = 0xBA7C
    EPOCH_ORDER = 0xE70C
    ADAPTER_EPOCH = 0x7EA1
    MODEL_VALIDATION = 0x5A11D
    TIED_PAIR = 0x71ED
    WRITTEN_PAIR = 0x3417E
    JUDGE_LABEL = 0x1ABE1
    JUDGE_INJECTION = 0x7E57
    BOOTSTRAP = 0xB007
    HOSTILE_REPLY = 0x5BEED
    REWARD_LAB = 0x1AB
    REWARD_LAB_RULE = 0x1AC
    LABELLED_REPLY = 0x52
    SCALING = 0x5CA1E
    SAMPLED_REPLY = 0x5A3B
