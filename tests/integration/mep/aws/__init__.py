"""`mep` with a fake AWS account on loopback."""
