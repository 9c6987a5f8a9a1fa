"""Everything that exists only to make a cold start short."""
