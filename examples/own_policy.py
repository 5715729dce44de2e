"""Put a policy class of your own on the bad cases and read its figures; the report lies in ``out/own-policy``."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.runner.run import run_benchmark
from negotiation_env.play.protocols import AgentView


class Polite:
    """Opens, then takes every price that it hears: a policy to be beaten."""

    name = "polite"

    def reply(self, views: Sequence[AgentView]) -> list[str]:
        """Return one message a view."""
        return [self.message(view) for view in views]

    def message(self, view: AgentView) -> str:
        """Return the next message."""
        if not view.agent_said:
            return f"Hello, this is the travel platform, calling about the {view.card.tickets[0].room}."
        return "Thank you, we agree."


def main() -> None:
    """Play the 45 bad cases; the command line does the same with --policy own_policy:Polite."""
    spec = f"{Path(__file__).stem}:Polite"
    report = run_benchmark([spec], ["bad-cases"], out=Path("out/own-policy"), progress=False)
    metrics = report.data["policies"][spec]["metrics"]
    for name in ("fixed", "clean_fix", "severe_unresolved"):
        print(f"{name}: {metrics[name]['value']:.1%} [{metrics[name]['low']:.1%}, {metrics[name]['high']:.1%}]")


if __name__ == "__main__":
    main()
