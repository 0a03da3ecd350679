"""Handing in: from the words on the command line to jobs that were accepted."""
