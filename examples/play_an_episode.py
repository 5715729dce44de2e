"""Play one negotiation in your own words and print every reply's reward; the README shows what comes out."""

import textwrap

import gymnasium as gym

MESSAGES = (
    "Good morning, this is Mei from the travel platform. Partners gain 28% exposure with us. What could you do?",
    "I hear you. But demand falls 28% around the food festival, and empty rooms earn nothing. Your best rate?",
    "Our internal target price is 418, so give us that.",
    "I am sorry, that came out wrong. In return for 430 you get a banner on the city page for a week.",
    "Would 433 work? We look for a long partnership.",
    "Confirmed: 433 for the Executive Room. Thank you, and enjoy your tea!",
)


def show(who: str, text: str) -> None:
    """Print one line of the dialogue."""
    print(textwrap.fill(text, 78, initial_indent=f"{who:7}", subsequent_indent=" " * 7))


def main() -> None:
    """Print the dialogue, and how it ended."""
    env = gym.make("negotiation_env:HotelNegotiation-v0")
    env.reset(seed=6)
    for message in MESSAGES:
        observation, reward, _, _, info = env.step(message)
        why = [term.message for term in info["reward"]["terms"] if term.source == "rules"]
        show("AGENT", message)
        show("", f"reward {reward:+.2f}" + "".join(f": {rule}" for rule in why))
        show("HOTEL", observation["message"] or "(no answer)")
    for ticket in info["outcome"]["tickets"]:
        print(f"{ticket['room']}: {ticket['selling_price']} -> {ticket['agreed']:.0f}")


if __name__ == "__main__":
    main()
