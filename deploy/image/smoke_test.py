"""Start the function as the image has it, and fail the build if anything that it needs is missing.

    python deploy/image/smoke_test.py TASK_ROOT [LAYER]

The last step of the image's build. Creates both AWS clients, resolves their endpoints, creates the clients that
botocore calls for credentials, and loads every span exporter. Sends nothing. LAYER is the directory of ADOT's packages,
when its wrapper script starts this. HANDLER_COLD_START applies.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handler.settings import Settings

REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1")
"""One region of each kind of partition in the endpoint rules, and two of the common one."""


OF_THE_RUNTIME = frozenset({"simplejson"})
"""Packages of the base image that a library imports if they exist: `requests` does, and works without."""


def main(task_root: str, *layer: str) -> None:
    """Check the image's content.

    Args:
        task_root: Directory with the function and its packages.
        layer: Directory with the layer's packages, if the layer is on.

    Raises:
        SystemExit: A module comes from another place.
        Exception: A part is missing.
    """
    os.environ.update(
        AWS_REGION=REGIONS[0],
        AWS_ACCESS_KEY_ID="build",
        AWS_SECRET_ACCESS_KEY="build",  # noqa: S106 - not a secret
        DEAD_LETTER_QUEUE_URL="https://sqs.us-east-1.amazonaws.com/000000000000/build",
        AWS_LAMBDA_INITIALIZATION_TYPE="snap-start",  # with what only a restored sandbox needs
    )
    # Python puts the directory of this script there, which is not the function's.
    sys.path[0] = task_root
    sys.dont_write_bytecode = True

    from copy import replace

    from handler import app, aws, settings

    read = settings.load_settings(os.environ)
    for region in REGIONS:
        regional = replace(read, region=region)
        for client in (aws.dynamodb_client(regional), aws.sqs_client(regional)):
            assert region in client.meta.endpoint_url, client.meta.endpoint_url
    _check_credential_services(read)
    from otel.exporters import otlp_http, signing  # noqa: F401 - imported by the first export to AWS
    from otel.settings.otlp import OtlpSettings

    otlp_http.OtlpHttpExporter(OtlpSettings("http://127.0.0.1:4318/v1/traces")).close()
    assert callable(app.lambda_handler)
    assert ("otel.tracing.adot_layer" in sys.modules) is bool(layer), "the layer is not set up"

    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name.partition(".")[0] not in OF_THE_RUNTIME and not _expected(Path(file), task_root, *layer):
            sys.exit(f"smoke_test.py: {name} is imported from {file}, which is not the function's own")


def _check_credential_services(read: "Settings") -> None:
    from botocore.session import Session

    from handler.aws import client_config
    from handler.coldstart import botocore_session, credentials

    core = Session()
    if read.fast_start:
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
