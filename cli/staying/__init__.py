"""Staying with jobs: following, waiting, and saying what they wait for."""
