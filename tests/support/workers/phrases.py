"""What the recogniser of the tests knows, and what is spoken to it."""

PHRASES = (
    "please open the kitchen window",
    "close the door and stop",
    "call the computer tomorrow",
    "turn the telephone to seven",
)
