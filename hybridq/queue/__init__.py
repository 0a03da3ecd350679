"""The verbs of the queue and what can be read of it: all SQL but the tables and the one writing path."""
