"""Tests of the whole in surroundings that are large to set up: Docker, a collector, an emulator of AWS, a browser."""
