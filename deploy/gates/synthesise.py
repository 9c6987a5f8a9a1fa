"""Synthesise the templates that the gates check: `python -m deploy.gates.synthesise FOLDER`. cdk-nag runs as well."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.app import synthesise
from deploy.context import ENVIRONMENTS

# Every environment, and every setting that changes the set of resources.
_CASES: Mapping[str, Mapping[str, str]] = {
    **{environment: {"environment": environment} for environment in ENVIRONMENTS},
    "others-resources": {
        "environment": "prod",
        "calendar_table": "a-calendar",
        "audit_table": "an-audit-trail",
        "event_bus": "a-bus",
        "image_uri": "111122223333.dkr.ecr.us-east-1.amazonaws.com/mark-earnings-processed:1.0.0",
        "alarm_email": "team@example.com",
        "application_signals": "discovery",
    },
    "default-bus": {"environment": "dev", "event_bus": "default"},
    "producers": {"environment": "dev", "producers": "999999999999,arn:aws:iam::999999999999:role/producer"},
}


def main(folder: Path) -> int:
    """Synthesise all cases into a new folder. Return the exit status, 0 if all pass."""
    shutil.rmtree(folder, ignore_errors=True)
    portable = synthesise({"environment": "prod"}, str(folder / "portable"), portable=True)
    return max(portable, *(synthesise(context, str(folder / name)) for name, context in _CASES.items()))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
