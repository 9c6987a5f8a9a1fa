"""The production template word for word, the monitoring apart: `python -m tests.unit.deploy.snapshot` writes it."""

import json
from pathlib import Path
from typing import Any

from tests.unit.deploy.assembly import template

SNAPSHOT = Path(__file__).parent / "snapshot.json"


def synthesised() -> dict[str, Any]:
    """The resources as they are now."""
    return {
        name: dict(resource) for name, resource in template().resources.items() if not name.startswith("Monitoring")
    }


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(synthesised(), indent=1) + "\n")
