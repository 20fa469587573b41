"""Real runs of the scenarios that psmodel predicts, and how far apart the two are."""

PSMODEL = True
"""Tells this package from others of the same name (configobj installs one)."""
