"""Faults put into suites of real runs: how soon each is noticed, what is said, what is lost and left.

``make faults`` writes docs/background/faults.md. Only processes that the driven command started are harmed.
"""
