"""`mep open`: all events of a local run in one page, and the timeline of each.

`index` reads the files of a run once and groups their records by event, `summary` has an event's line in the list,
`page` makes the document of it, `server` serves it while the run goes on.
"""
