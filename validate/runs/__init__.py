"""Real runs and suites of them: started, watched, stopped, resumed."""
