"""The default reward needs no language-model library."""

from __future__ import annotations

import subprocess
import sys


def test_the_rewards_import_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['transformers'] = None\n"
        "import rewards.repo, rewards.judge.llm_judge, rewards.model.ngram_fit\n"
        "rewards.repo.RepoReward()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
