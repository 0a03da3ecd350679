"""The queue as figures for Prometheus."""
