"""The emulator's parts on the real services."""
