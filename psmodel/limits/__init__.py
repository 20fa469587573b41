"""What this process may use, and what an answer will take."""
