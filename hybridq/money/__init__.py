"""Money: limits and budgets, what each job is charged, and why a limit holds what waits."""
