"""What may be asked of a submission, by whichever door it comes, as a Request."""
