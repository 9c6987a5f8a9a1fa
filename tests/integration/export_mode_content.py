"""The same events through the function in each export mode, and what arrived of them, without what always varies."""
