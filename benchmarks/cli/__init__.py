"""The ``negotiate`` command. Each command's work is imported when that command runs, not before."""
