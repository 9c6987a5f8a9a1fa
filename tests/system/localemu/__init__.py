"""The function behind AWS's APIs as an emulator has them that is none of ours. These tests need Docker."""
