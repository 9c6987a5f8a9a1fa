"""Starts the function as the image has it and ends the build if anything that it needs is missing.

    python deploy/image/smoke_test.py TASK_ROOT [LAYER]

The last step of the image's build. Makes both AWS clients, resolves their endpoints, makes the clients that botocore
asks for credentials, and loads the code of every way out of spans. Sends nothing. LAYER is the directory of ADOT's
packages, where its wrapper script has started this.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handler.settings import Settings

REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1")
"""One of each kind of partition that the endpoint rules tell apart, and two of the common one."""


RUNTIMES_OWN = frozenset({"simplejson"})
"""Packages of the base image that a library may pick up where it finds them: `requests` does, and works without."""


def main(task_root: str, *layer: str) -> None:
    """Check the image's content.

    Args:
        task_root: directory that holds the function and its packages.
        layer: directory that holds the layer's, where it is turned on.

    Raises:
        SystemExit: something came from elsewhere.
        Exception: whatever the missing part makes of it.
    """
    os.environ.update(
        AWS_REGION=REGIONS[0],
        AWS_ACCESS_KEY_ID="build",
        AWS_SECRET_ACCESS_KEY="build",  # noqa: S106 - there is nobody to show it to
        DEAD_LETTER_QUEUE_URL="https://sqs.us-east-1.amazonaws.com/000000000000/build",
        AWS_LAMBDA_INITIALIZATION_TYPE="snap-start",  # with what only a restored sandbox needs
    )
    # This script's own directory is not the function's.
    sys.path[0] = task_root
    sys.dont_write_bytecode = True

    from copy import replace

    from handler import app, aws, settings

    read = settings.load_settings(os.environ)
    for region in REGIONS:
        here = replace(read, region=region)
        for client in (aws.dynamodb_client(here), aws.sqs_client(here)):
            assert region in client.meta.endpoint_url, client.meta.endpoint_url
    _check_credential_services(read)
    from otel.exporters import otlp_http

    otlp_http.OtlpHttpExporter().close()
    assert callable(app.lambda_handler)
    assert ("otel.tracing.adot_layer" in sys.modules) is bool(layer), "the layer has set nothing up"

    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name.partition(".")[0] not in RUNTIMES_OWN and not _expected(Path(file), task_root, *layer):
            sys.exit(f"smoke_test.py: {name} is taken from {file}, which is not the function's own")


def _check_credential_services(read: "Settings") -> None:
    from handler.aws import client_config
    from handler.coldstart import botocore_session, credentials

    core, loader = botocore_session.create_session()
    botocore_session.search_credentials(core, loader, read.region, client_config(read))
    for service in sorted(credentials.SERVICES):
        core.create_client(service, region_name=read.region)


def _expected(file: Path, *roots: str) -> bool:
    if any(map(file.is_relative_to, roots)) or file == Path(__file__):
        return True
    standard = Path(os.__file__).parent
    return file.is_relative_to(standard) and not {"site-packages", "dist-packages"} & set(file.parts)


if __name__ == "__main__":
    main(*sys.argv[1:])
