"""Pipes: endless streams of items, answered live by warm workers; what cannot be becomes jobs."""
