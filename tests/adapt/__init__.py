"""Another function made of this one, as docs/adapt.md describes: the files that it takes, and the proof."""
