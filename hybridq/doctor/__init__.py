"""Whether a queue and its machine are well, and what to do where they are not."""
