"""No event is lost: crashes, faults of every service, failing destinations, replays and redrives."""
