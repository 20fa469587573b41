"""Safe reading of files, atomic writing, journals and tables."""
