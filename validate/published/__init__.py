"""Predictions of published clusters, made from their small sizes."""
