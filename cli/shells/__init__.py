"""Completion for bash, zsh and fish, made from the command line as plain data."""
