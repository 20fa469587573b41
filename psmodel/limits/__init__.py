"""Cores and memory that this process may use, and what an answer will need of them."""
