"""The hotel manager, measured: ``negotiate study manager``."""
