"""What a fit is worth: in the terminal, as a page, as pictures."""
