"""Notebooks that teach psmodel; `python -m notebooks` runs them, `tests/test_notebooks.py` checks what comes out."""
