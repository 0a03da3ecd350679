"""What policy, estimate and tariff compute with: pure functions of plain data and `now`."""
