"""The soak: very many events with faults, kills and duplicates, and an account that must balance: `docs/soak.md`."""
