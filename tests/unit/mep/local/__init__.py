"""`mep local` without the services."""
