"""Tests; a package, so that two files of one name in different rooms do not collide."""
