"""`hybridq help TOPIC`: pages of Markdown, read here and in the repository.

Two of them, settings and commands, are made from the code; a test holds that what is kept is what is made.
"""
