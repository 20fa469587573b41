"""Notebooks that teach psmodel; `python -m notebooks` runs them, `tests/docs` checks what comes out."""
