"""`hybridq help TOPIC`: pages of Markdown, read here and in the repository.

Three of them, settings, commands and json, are made from the code; a test holds that what is kept is what is made.
"""
