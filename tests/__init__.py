"""Tests; a package, so that two files of one name in different rooms do not collide."""

import os
import sys

# The tests start hundreds of Python processes: where no bytecode is written, each of them compiles all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
