"""Monitoring: the alarms of the synthesised template, evaluated on the metrics that the function emits."""
