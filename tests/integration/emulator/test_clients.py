"""Clients for services on this machine ignore the user's own AWS settings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.environment import PROJECT_ROOT
from emulator.services.sqs import QueueEndpoint

CALL = """
import sys
from emulator.services.tables import CalendarTables
from emulator.services.sqs import sqs_client
client = sqs_client(sys.argv[1])
print(client.get_queue_url(QueueName=sys.argv[2])["QueueUrl"])
CalendarTables(sys.argv[1], "us-east-1", {"AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "other"})
"""


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AWS_PROFILE": "ghost"},
        {"AWS_DEFAULT_PROFILE": "ghost", "AWS_CONFIG_FILE": "/nowhere"},
        {"AWS_CONFIG_FILE": str(PROJECT_ROOT / "README.md")},
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        {"AWS_DEFAULTS_MODE": "nonsense", "AWS_RETRY_MODE": "nonsense", "AWS_MAX_ATTEMPTS": "many"},
        {"AWS_ACCESS_KEY_ID": "theirs", "AWS_SESSION_TOKEN": "theirs", "AWS_REGION": "eu-west-1"},
        {"HTTP_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"},
        {"AWS_CA_BUNDLE": "/nowhere", "AWS_ACCOUNT_ID_ENDPOINT_MODE": "nonsense"},
    ],
    ids=str,
)
def test_no_aws_setting_is_read(variables: dict[str, str], queue_endpoint: QueueEndpoint, tmp_path: Path) -> None:
    name = queue_endpoint.queue_url.rpartition("/")[2]
    done = subprocess.run(
        [sys.executable, "-c", CALL, queue_endpoint.url, name],
        env={"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": str(PROJECT_ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, queue_endpoint.queue_url), done.stderr
