"""Report: what really ran, read as plain data, summed and drawn."""
