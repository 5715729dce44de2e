"""The environment and its rewards behind other libraries' trainers."""
