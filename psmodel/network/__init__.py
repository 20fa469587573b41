"""A network of max–min fair fluid flows on SimPy."""
