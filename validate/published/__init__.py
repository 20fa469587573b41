"""Clusters that others have measured, predicted from small sizes."""
