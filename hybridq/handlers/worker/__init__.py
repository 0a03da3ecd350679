"""The handler `worker`: warm programs that read lines and answer with lines."""
