"""Suites of real runs in a loop, with faults at random: what they hold must not grow, and nothing may be left.

``make soak`` writes docs/background/soak.png and the page's table beside it.
"""
