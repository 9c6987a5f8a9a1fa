"""Write the production template without the monitoring: `python -m tests.unit.deploy.snapshot`."""

import json
import re
from pathlib import Path
from typing import Any

from tests.unit.deploy.assembly import template

SNAPSHOT = Path(__file__).parent / "snapshot.json"


def synthesised() -> dict[str, Any]:
    """Return the resources of the template. The hashes of archives are left out: they change with their code."""
    text = json.dumps(
        {name: resource for name, resource in template().resources.items() if not name.startswith("Monitoring")}
    )
    resources: dict[str, Any] = json.loads(re.sub(r"[0-9a-f]{64}\.zip", "ARCHIVE.zip", text))
    return resources


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(synthesised(), indent=1) + "\n")
