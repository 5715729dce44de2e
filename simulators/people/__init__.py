"""Whom data comes from; all of it is synthetic, and no human wrote or labelled anything here.

``situations`` draws negotiations in which a reply is due, ``candidates`` the replies of good, middling and bad agents,
``damage`` spoils a reply's text, ``annotators`` prefer one reply to another, ``preferences`` puts pairs together,
``demonstrations`` plays a decent colleague's whole dialogues, ``training_files`` reads and writes data as JSON lines.
``written_dialogues`` are dialogues in free language by AI authors (``dialogues``, with their data card),
``written_messages`` their messages, each in the state of the game in which it was said, ``graded_replies`` the agent's
with grades, as rewards see them, ``conversations`` whole dialogues to imitate, ``written_pairs`` pairs of those, as
somebody compares them who sees the chat, ``haggling`` pairs about an answer to a figure; ``reading_labels`` what a
reader is to find in them and in the drills (``drills``), ``reading_effects`` what a misreading changes in the game,
``voice_data`` what the manager's voice learns: situations of them and rewordings (``voice``). A new kind of damage or
habit is an entry in ``phrases/*.toml`` or ``candidates.HABITS``.
"""
