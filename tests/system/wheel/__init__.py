"""The wheel, installed."""
