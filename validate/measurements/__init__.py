"""Runs as they are kept, and which of them count."""
