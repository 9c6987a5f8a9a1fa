"""The function behind AWS's APIs in a third-party emulator. These tests need Docker."""
