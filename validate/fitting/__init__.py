"""Coefficients from measurements, and which to make next."""
