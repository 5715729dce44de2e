"""A negotiation in progress: ``protocols`` of manager, reward and policy, one ``exchange``, ``rollout``, ``records``.

``agent_prompts`` is what a language-model agent sees, ``prompts`` and ``transcript_prompt`` the forms that adapters
were trained with; ``registry`` finds managers, readers, rewards, policies and suites by name; ``own_parts`` makes a
user's functions parts, and what they raise faults. ``workers`` do work here or in processes, ``ray_workers`` on a
cluster.
"""
