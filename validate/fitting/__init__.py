"""Estimate coefficients from measurements, and choose the next measurements."""
