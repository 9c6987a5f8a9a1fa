"""The page of `mep open` without a run."""
