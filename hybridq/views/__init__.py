"""What views show, as plain data; drawing it is the command line's."""
