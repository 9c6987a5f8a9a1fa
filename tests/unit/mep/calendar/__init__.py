"""`mep calendar`: the rules of its engine."""
