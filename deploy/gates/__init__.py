"""What a template must pass before it is deployed."""
