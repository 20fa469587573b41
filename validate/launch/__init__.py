"""Ways to a cluster that is not started yet, or not reached from here: what to hand to its scheduler."""
