"""Suites of scenarios: what is run to calibrate, and what to be held out."""
