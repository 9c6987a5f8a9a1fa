"""Stores that lose, forget or mix up: the soak must notice each."""
