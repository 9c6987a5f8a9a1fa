"""The operator's command line, `mep`."""
