"""The function on the real services: DynamoDB Local, an SQS, UDP sockets, and faults on the wire."""

import pytest

pytest.register_assert_rewrite("tests.integration.consistency")  # its assertions explain themselves, too
