"""Pictures: results in, `Figure` out."""
