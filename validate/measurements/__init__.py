"""Records of runs, their store, and the selection of those that can be believed."""
