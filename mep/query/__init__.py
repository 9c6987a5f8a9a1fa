"""The saved queries from the command line: against CloudWatch Logs, and against the files of a `mep local` run."""

SINCE = "1d"
"""How far back AWS is searched: a day, because events may come once a day."""
