"""The report of a fit: on the terminal, as a page, as pictures."""
