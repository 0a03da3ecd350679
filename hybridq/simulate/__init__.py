"""Simulate: the real decisions on a virtual clock, beside what people do without hybridq."""
