"""Whether a gate finds faults put into a cluster of five hosts, names the right host, and lets sound ones be."""
