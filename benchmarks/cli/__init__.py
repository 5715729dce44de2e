"""The ``negotiate`` command; each command's work is imported when that command runs, not before.

``main`` holds ``doctor`` and ``study`` and puts together ``bench``, ``play``, ``demo``, ``read``, ``train``, ``data``,
``persona``, ``own_files`` (``scenario``, ``rules``, ``rubric``) and ``report`` (with ``rescore``). ``completion`` has
what the shell offers on Tab.
"""
