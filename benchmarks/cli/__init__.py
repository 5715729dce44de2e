"""The ``negotiate`` command; each command's work is imported when that command runs, not before.

``main`` holds ``study`` and ``serve``, and puts together ``bench``, ``play``, ``demo``, ``read``, ``train``, ``data``,
``persona``, ``own_files`` (``scenario``, ``rules``, ``rubric``), ``report`` (with ``rescore``) and ``doctor``.
``completion`` has what the shell offers on Tab, ``queue`` runs commands one after another.
"""
