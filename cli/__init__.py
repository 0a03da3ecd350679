"""The command line: parses, calls the library, renders. No SQL, no subprocess, no policy."""
