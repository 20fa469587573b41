"""Truths and helpers that several tests hold things against."""
