"""`mep trace`: all that one correlation ID left behind, as one timeline.

Sources (a run's folder, AWS) yield moments; `timeline` puts them together; `text`, `page` and JSON show them.
"""
