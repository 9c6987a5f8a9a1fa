"""Starts the function as the image has it and ends the build if anything that it needs is missing.

    python deploy/image/check.py TASK_ROOT

The last step of the image's build. Makes both AWS clients, resolves their endpoints, and loads the code of every way
out of spans. Sends nothing.
"""

import os
import sys
from pathlib import Path

REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1")
"""One of each kind of partition that the endpoint rules tell apart, and two of the common one."""


RUNTIMES_OWN = frozenset({"simplejson"})
"""Packages of the base image that a library may pick up where it finds them: `requests` does, and works without."""


def main(task_root: str) -> None:
    """Check the image's content.

    Args:
        task_root: directory that holds the function and its packages.

    Raises:
        SystemExit: something came from elsewhere.
        Exception: whatever the missing part makes of it.
    """
    os.environ.update(
        AWS_REGION=REGIONS[0],
        AWS_ACCESS_KEY_ID="build",
        AWS_SECRET_ACCESS_KEY="build",  # noqa: S106 - there is nobody to show it to
        DEAD_LETTER_QUEUE_URL="https://sqs.us-east-1.amazonaws.com/000000000000/build",
    )
    # This script's own directory is not the function's.
    sys.path[0] = task_root
    sys.dont_write_bytecode = True

    from dataclasses import replace

    from handler import app, aws, settings

    read = settings.load_settings(os.environ)
    for region in REGIONS:
        here = replace(read, region=region)
        for client in (aws.dynamodb_client(here), aws.sqs_client(here)):
            assert region in client.meta.endpoint_url, client.meta.endpoint_url  # noqa: S101 - the build runs without -O
    from otel import collector

    collector.Collector().close()
    assert callable(app.lambda_handler)  # noqa: S101

    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name.partition(".")[0] not in RUNTIMES_OWN and not _expected(Path(file), Path(task_root)):
            sys.exit(f"check.py: {name} is taken from {file}, which is not the function's own")


def _expected(file: Path, task_root: Path) -> bool:
    if file.is_relative_to(task_root) or file == Path(__file__):
        return True
    standard = Path(os.__file__).parent
    return file.is_relative_to(standard) and not {"site-packages", "dist-packages"} & set(file.parts)


if __name__ == "__main__":
    main(sys.argv[1])
