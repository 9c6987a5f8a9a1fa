"""Constructs that CDK synthesises."""
