"""Benchmarks, beside SimGrid where it is installed; ``make bench`` runs them. They are no tests."""
