"""Files that are there whole or not at all: read with care, written at once, appended, as tables."""
