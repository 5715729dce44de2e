"""Change a scenario file, hotel, prices and facts, and let the built-in agent negotiate on it."""

from pathlib import Path

from negotiation_env.game.scenario import sample_scenario
from negotiation_env.game.scenario_file import read_scenario, scenario_toml
from negotiation_env.play.registry import load_manager, load_policy, load_reward
from negotiation_env.play.rollout import rollout


def main() -> None:
    """Write a drawn scenario as TOML, rename its hotel, read it back and play it."""
    path = Path("my_hotel.toml")
    drawn = sample_scenario(6)
    text = scenario_toml(drawn).replace(drawn.card.hotel.name, "Quince House")
    path.write_text(text, encoding="utf-8")
    scenario = read_scenario(path)
    print(scenario.card.text())
    (episode,) = rollout(
        load_policy("intent-driven"), [scenario], manager=load_manager("rules"), reward=load_reward("repo")
    )
    for turn in episode.turns:
        print(f"AGENT  {turn.text}\nHOTEL  {turn.answer or '(no answer)'}")
    for ticket in episode.tickets:
        print(f"{ticket.room}: {ticket.selling_price} -> {ticket.agreed} (target {ticket.target_price})")


if __name__ == "__main__":
    main()
