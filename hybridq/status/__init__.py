"""Status: the queue at one instant as plain data; drawing it is the command line's."""
