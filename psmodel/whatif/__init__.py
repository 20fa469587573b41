"""Questions of many scenarios: sweep, plan, explain, and what an answer costs."""
