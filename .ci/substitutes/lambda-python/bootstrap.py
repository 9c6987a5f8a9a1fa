"""As the Lambda base image's: the runtime client, with Lambda's order of import paths."""

import os
import site
import sys

from awslambdaric.__main__ import main

TASK_ROOT = os.environ["LAMBDA_TASK_ROOT"]
PACKAGES = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
LAYERS = [f"/opt/python/{PACKAGES}", "/opt/python"]

# A wrapper script that sets PYTHONPATH has placed the layers itself.
layers = [] if "PYTHONPATH" in os.environ else LAYERS
sys.path[:0] = [TASK_ROOT, *layers]
for directory in (TASK_ROOT, *layers):
    site.addsitedir(directory)
os.environ.setdefault("PYTHONPATH", os.environ["LAMBDA_RUNTIME_DIR"])

main([TASK_ROOT, os.environ["_HANDLER"]])
