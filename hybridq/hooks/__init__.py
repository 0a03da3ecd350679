"""Hooks: who is told of what happened, as a command or by a message; durable, at least once."""
