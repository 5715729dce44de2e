"""Do two checkouts play the same negotiations and give the same rewards, byte for byte?

    python tests/golden/compare_trees.py OLD_PYTHON NEW_PYTHON [--episodes N]

OLD_PYTHON and NEW_PYTHON are interpreters of two environments, each with one checkout installed. Every scripted policy
plays against both managers that need no model; episodes are compared as what was said, meant, decided and earned, every
number to its last bit. Exit status 1 on any difference.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

POLICIES = ("random", "heuristic", "intent-driven", "sb3")
MANAGERS = ("rules", "demanding:0.3")
FIRST_SEED = 7_000_000
BATCH = 50


def module(*names: str) -> Any:
    """Import the first of these modules that the checkout has: it may be older than today's layout."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise
    raise SystemExit(f"expected one of {names}, found none: is negotiation-env installed for {sys.executable}?")


def play(policy: str, manager: str, first: int, count: int) -> list[str]:
    """Play `count` seeded episodes and return each as one line."""
    registry = module("negotiation_env.play.registry", "negotiation_env.registry")
    rollout = module("negotiation_env.play.rollout", "negotiation_env.rollout").rollout
    sample = module("negotiation_env.game.scenario", "negotiation_env.scenario").sample_scenario
    lines = []
    for start in range(first, first + count, BATCH):
        episodes = rollout(
            registry.load_policy(policy),
            [sample(seed) for seed in range(start, min(start + BATCH, first + count))],
            manager=registry.load_manager(manager),
            reward=registry.load_reward("repo"),
        )
        lines += [json.dumps(episode.to_json(), ensure_ascii=False, sort_keys=True) for episode in episodes]
    return lines


def record(path: Path, episodes: int) -> None:
    """Play all episodes with this interpreter's checkout and write them."""
    pairs = list(itertools.product(POLICIES, MANAGERS))
    share = -(-episodes // len(pairs))
    with path.open("w", encoding="utf-8") as file:
        for i, (policy, manager) in enumerate(pairs):
            file.writelines(line + "\n" for line in play(policy, manager, FIRST_SEED + i * share, share))


def main() -> int:
    """Record with both interpreters and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", help="interpreter of the environment with the one checkout")
    parser.add_argument("new", nargs="?", help="interpreter of the environment with the other checkout")
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.record:
        record(given.record, given.episodes)
        return 0
    if not given.new:
        parser.error("expected two interpreters")
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("old.jsonl", "new.jsonl")]
        for interpreter, path in zip((given.old, given.new), paths, strict=True):
            python = str(Path(interpreter).absolute())
            words = [python, str(Path(__file__).resolve()), python, "--record", str(path)]
            # From an empty folder, so that the installed checkout is imported and not the one beside this file.
            subprocess.run([*words, "--episodes", str(given.episodes)], check=True, cwd=folder)
        old, new = (path.read_text(encoding="utf-8").splitlines() for path in paths)
        digests = [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in paths]
    different = [i for i, (a, b) in enumerate(itertools.zip_longest(old, new)) if a != b]
    print(f"{len(old)} and {len(new)} episodes, {len(different)} different, sha256 {digests[0]} and {digests[1]}")
    for i in different[:3]:
        print(f"first old: {old[i][:2000]}\nfirst new: {new[i][:2000]}" if i < min(len(old), len(new)) else f"line {i}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
