"""What a judge is given to read of a reply: all but the sentences that speak to the judge."""

from __future__ import annotations

from negotiation_env.protocols import ReplyView
from rewards.examples import view_reply
from rewards.judge_orders import without_orders


def judged_reply(view: ReplyView) -> ReplyView:
    """Return the view of a reply without its orders to a judge, understood anew; the view itself if there are none."""
    return said_instead(view, without_orders(view.text))


def said_instead(view: ReplyView, text: str) -> ReplyView:
    """Return the view of another text in the same situation; the view itself where the text is the same."""
    if text == view.text:
        return view
    return view_reply(text, view.card, view.game, view.agent_said, view.manager_said)
