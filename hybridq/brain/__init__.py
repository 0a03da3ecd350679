"""The brain: decisions, plans, forecasts and prices, as pure functions of plain data and `now`."""
