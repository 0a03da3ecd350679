"""A module of a user's that has the name of one of ours."""

WORD = "the user's own"
