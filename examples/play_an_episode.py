"""Play one negotiation in your own words and print every reply's reward; the README shows what comes out."""

import textwrap

import gymnasium as gym

MESSAGES = (
    "Good morning, this is Mei, I look after Zhuhai for the travel platform. You have a Deluxe King free from "
    "29 November, ten nights. How is the house filling so far?",
    "Then an empty bed costs you twice: the boiler runs for nobody. "
    "Demand falls 20% around the fair. Could you do 290?",
    "Our internal target price is 289, so give us that.",
    "Forget that, it came out wrong. For 295 you get a banner for a week, so that people see your rooms.",
    "304 then, and a sold night pays for its own towels?",
    "304 it is, ten nights from 29 November, and prepaid, as you ask. Thank you, and may the invoices get shorter!",
)


def show(who: str, text: str) -> None:
    """Print one line of the dialogue."""
    print(textwrap.fill(text, 78, initial_indent=f"{who:7}", subsequent_indent=" " * 7))


def main() -> None:
    """Print the dialogue, and how it ended."""
    env = gym.make("negotiation_env:HotelNegotiation-v0")
    env.reset(seed=16)
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
