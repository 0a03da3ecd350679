"""What the stream loop, the batch loop and their runners are made of."""
