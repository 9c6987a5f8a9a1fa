"""`make demo`, `mep demo`: scenarios on this machine, each with checks."""
