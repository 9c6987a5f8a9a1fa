"""`make demo`, `mep demo`: the main job on this machine, with every promise checked."""
