"""What policy and estimate compute with: pure functions of plain data and `now`."""
