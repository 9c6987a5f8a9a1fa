"""Tests of what the project is made with: workflows, hooks, updates and releases."""
