"""`mep trace`: every record of one correlation ID, as one timeline.

Sources (AWS, or the files of a local run) return entries; `timeline` groups them by invocation; `render_text`,
`render_html` and JSON show them.
"""
