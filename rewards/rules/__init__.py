"""RF: what code can know of a reply. Rules are data (``rules.toml``); a new one needs no code unless it measures.

``rule_reward`` applies the rules, ``rule_file`` reads and checks them, ``measures`` and ``reply_figures`` hold what a
pattern cannot see, ``plain_text`` makes a text ready for patterns.
"""
