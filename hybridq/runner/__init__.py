"""Runners: what claims jobs and runs them, in a daemon, a drain, or a submit that runs its own."""
