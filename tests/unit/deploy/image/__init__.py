"""The scripts of the image's build, without Docker."""
