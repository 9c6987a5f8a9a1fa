"""How the function gets to AWS: the image, the stack, its monitoring."""
