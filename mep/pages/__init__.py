"""What the HTML pages of `mep` have in common: the document, its colours, the timeline of one event.

A page is one file without any reference to another: it opens from a disk, in a report, without a network.
"""
