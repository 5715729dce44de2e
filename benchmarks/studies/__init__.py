"""One-off measurements: ``negotiate study NAME``. Each is imported when it runs, for many need torch or an extra.

Of the environment: ``speed``, ``conformance``, ``manager``, ``manager_swap``, ``robustness``, ``price_understanding``,
``reading_quality``, ``voice_quality``. Of engines: ``engine_study`` (with ``faulty_server``). Of rewards:
``reward_study``, ``reward_lab`` (with ``reward_gate`` and ``light_model``), ``rule_measures`` (on ``rule_labels``),
``adapter_quality``, ``reward_cost``, ``gaming``, ``written_gaming``. Of raters: ``rater_validity`` (on
``labelled_pairs``, ``degradations`` and ``written_raters``); ``phrasing_fit`` makes what they weigh words by. Of
training: ``methods``, ``trl_speed`` (with ``trl_speed_sides``), ``sb3_quality``, ``scaling``. Of the statistics:
``coverage``. ``bad_case_files`` renews what is made from the bad cases.

A new study is a module with a function whose parameters are typer options and which returns the exit status (None is
0), and a line in ``STUDIES``.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Study(NamedTuple):
    """One measurement.

    Attributes:
        where: "module:function"; a module that begins with a dot is in this package.
        what: what it measures or does, in one line.
        extra: the extra of this project that brings what it imports.
    """

    where: str
    what: str
    extra: str = "llm"


STUDIES: Final[dict[str, Study]] = {
    "speed": Study(
        ".speed:study",
        "Steps per second against Gymnasium's CartPole-v1, and batching of language models.",
    ),
    "conformance": Study(".conformance:study", "Whether the simulated manager keeps its word and its secrets."),
    "manager": Study(".manager.manager_study:study", "What a manager does with words and figures, beside people."),
    "swap": Study(".manager_swap:study", "How a ranking of policies moves when the manager is swapped."),
    "engines": Study(
        ".engine_study:study", "vLLM against transformers, and episodes behind a server of which calls fail."
    ),
    "robustness": Study(".robustness:study", "Hostile messages: no exception, no hang, no growing memory."),
    "rewards": Study(".reward_study:study", "What each reward source sees in written, graded replies."),
    "rewards-lab": Study(".reward_lab:study", "When judge and rules help a reward model: three experiments."),
    "rules": Study(".rule_measures:quality", "Precision and recall of the rules on labelled replies."),
    "rule-speed": Study(".rule_measures:speed", "Time per rule on hostile replies."),
    "prices": Study(".price_understanding:study", "How well prices are read in human messages."),
    "reading": Study(".reading_quality:study", "How a reader understands written dialogues."),
    "voice": Study(".voice_quality:study", "How a language model voices the manager, on written situations."),
    "adapters": Study(".adapter_quality:study", "A judge and the reward model's adapter on held-out data."),
    "reward-cost": Study(".reward_cost:study", "What scoring a reply costs against generating it."),
    "gaming": Study(".gaming:study", "What gaming the reward earns."),
    "written-gaming": Study(".written_gaming:study", "What gaming in free language earns beside written replies."),
    "raters": Study(".rater_validity:study", "Whether the automated raters see what was spoiled."),
    "rater-phrasing": Study(".phrasing_fit:study", "Fit how the raters weigh words, on written replies."),
    "coverage": Study(".coverage:study", "How often intervals cover the truth, by simulation."),
    "sb3": Study(".sb3_quality:study", "The numeric PPO agent against the heuristic.", "sb3"),
    "methods": Study(".methods.command:study", "Train and compare all methods, or REPO's ablations.", "train"),
    "trl-speed": Study(".trl_speed:study", "REPO's loop against TRL's GRPOTrainer.", "train"),
    "trl-grpo": Study("policies.integrations.trl_grpo:example", "An example: GRPO on negotiations with TRL.", "train"),
    "launches": Study(
        ".scaling:launch_study", "What the shipped launch files take, counted on the meta device.", "train"
    ),
    "scaling": Study(".scaling:study", "A cluster of 1 to 256 workers, simulated: when the learner starves.", "train"),
    "record-failures": Study(".bad_case_files:record", "Record a failing dialogue beside each bad case."),
    "case-table": Study(".bad_case_files:rewrite_document", "Rewrite the tables of docs/bad_cases.md."),
}
"""Every measurement by name, in the order to list them."""
