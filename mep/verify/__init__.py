"""`mep verify`: proves that a deployed function works, with an event that changes nothing (`monitoring.probe`)."""
