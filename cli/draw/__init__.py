"""What a person sees: drawn from plain data, and kept up to date."""
