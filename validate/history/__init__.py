"""What has been measured before: baselines by name, selections side by side, and drift."""
