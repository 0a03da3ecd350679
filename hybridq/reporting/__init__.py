"""What really ran: read as plain data, summed, drawn."""
