"""Training of policies. Modules here may need the ``sb3`` or ``train`` extra; nothing is imported before it is used."""
