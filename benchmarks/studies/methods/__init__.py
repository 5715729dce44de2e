"""All methods at one scale, trained and compared by one command: ``negotiate study methods``.

``experiment`` says which runs there are, ``work`` trains and measures them (``runs`` is one run's folder),
``seed_figures`` takes a method's figures over its seeds, ``results`` makes ``table.json`` and ``tables`` its Markdown.
"""
