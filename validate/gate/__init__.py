"""Whether a cluster is as it should be: each scenario against its own expectation, each host against the others."""
