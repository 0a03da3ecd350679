"""The demonstration: real documents, a real daemon, and what was measured."""
