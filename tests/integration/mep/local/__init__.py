"""`mep local` on the real services."""
