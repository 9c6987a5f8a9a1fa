"""What measures the function, and what holds it to its budget."""
