"""Write the production template without the monitoring: `python -m tests.unit.deploy.snapshot`."""

import json
from pathlib import Path
from typing import Any

from tests.unit.deploy.assembly import template

SNAPSHOT = Path(__file__).parent / "snapshot.json"


def synthesised() -> dict[str, Any]:
    """Return the resources of the template."""
    return {
        name: dict(resource) for name, resource in template().resources.items() if not name.startswith("Monitoring")
    }


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(synthesised(), indent=1) + "\n")
