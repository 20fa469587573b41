"""The what-if page in the browser (``psmodel app``): questions from a query, answers as JSON, one static page."""
