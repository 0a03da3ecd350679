"""The handlers `openai` and `anthropic`: calls that stream, and batches that a provider runs."""
