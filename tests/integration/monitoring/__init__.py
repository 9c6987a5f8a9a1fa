"""Monitoring: the definitions, what is made of them, and that the alarms go off when they should."""
