"""What the stream loop, the batch scheduler and their runners are made of."""
