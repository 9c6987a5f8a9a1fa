"""The committed service data is what the installed botocore gives, and enough for what the function calls."""

from pathlib import Path

import boto3
import botocore.session
import pytest
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from deploy.image.shrink_packages import link_botocore_data
from deploy.image.trim_botocore import (
    CREDENTIAL_OPERATIONS,
    HANDLER,
    OPERATIONS,
    committed,
    services,
    trim_model,
    trimmed,
)
from handler.coldstart.botocore_session import SERVICES
from handler.coldstart.credentials import SERVICES as CREDENTIAL_SERVICES


def test_the_committed_data_is_that_of_the_installed_botocore() -> None:
    wanted, present = committed()
    assert present == wanted, "run python -m deploy.image.trim_botocore"
    assert {path.parts[-4] for path in present if path.name == "service-2.json"} == {"botocore_data", "credential_data"}


def test_a_trimmed_model_has_the_shapes_that_its_operations_reach_and_no_more() -> None:
    model = {
        "metadata": {"serviceId": "Example"},
        "operations": {
            "Wanted": {
                "name": "Wanted",
                "input": {"shape": "In"},
                "documentation": "long",
                "operationContextParams": {"A": 1},
            },
            "Unwanted": {"name": "Unwanted", "input": {"shape": "Other"}},
        },
        "shapes": {
            "In": {"type": "structure", "members": {"A": {"shape": "Tree", "documentation": "long"}}},
            "Tree": {"type": "structure", "members": {"Child": {"shape": "Tree"}, "documentation": {"shape": "Leaf"}}},
            "Leaf": {"type": "string"},
            "Other": {"type": "string"},
        },
        "documentation": "long",
    }
    assert trim_model(model, ("Wanted",)) == {
        "metadata": {"serviceId": "Example"},
        "operations": {"Wanted": {"name": "Wanted", "input": {"shape": "In"}, "operationContextParams": {"A": 1}}},
        "shapes": {
            "In": {"type": "structure", "members": {"A": {"shape": "Tree"}}},
            # a member that is called "documentation" is a member
            "Tree": {"type": "structure", "members": {"Child": {"shape": "Tree"}, "documentation": {"shape": "Leaf"}}},
            "Leaf": {"type": "string"},
        },
    }


def test_an_operation_that_is_gone_is_loud() -> None:
    with pytest.raises(KeyError, match="Gone"):
        trim_model({"operations": {}, "shapes": {}}, ("Gone",))


def test_the_error_shapes_of_what_is_called_are_kept() -> None:
    files = trimmed()
    shapes = files["dynamodb/2012-08-10/service-2.json"]["shapes"]
    assert {"TransactionCanceledException", "CancellationReason", "ThrottlingException"} <= shapes.keys()
    assert set(OPERATIONS) == SERVICES


def test_the_error_shapes_of_what_gives_credentials_are_kept() -> None:
    files = services(CREDENTIAL_OPERATIONS)
    assert "UnauthorizedException" in files["sso/2019-06-10/service-2.json"]["shapes"]  # botocore catches it
    assert set(CREDENTIAL_OPERATIONS) == CREDENTIAL_SERVICES


def test_botocores_own_session_works_with_the_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in the image, when HANDLER_COLD_START is `standard`."""
    link_botocore_data(tmp_path / "data", str(HANDLER / "coldstart"))
    monkeypatch.setattr(Loader, "BUILTIN_DATA_PATH", str(tmp_path / "data"))
    monkeypatch.setattr(Loader, "CUSTOMER_DATA_PATH", str(tmp_path / "none"))
    monkeypatch.setattr(botocore.session, "create_loader", create_loader)  # not the one that the tests share
    dynamodb = boto3.Session(region_name="cn-north-1", botocore_session=Session()).client("dynamodb")
    assert dynamodb.meta.endpoint_url == "https://dynamodb.cn-north-1.amazonaws.com.cn"
    assert dynamodb.meta.method_to_api_mapping == {"transact_write_items": "TransactWriteItems"}
    for service in CREDENTIAL_SERVICES:
        client = Session().create_client(service, region_name="eu-central-1")
        assert "eu-central-1" in client.meta.endpoint_url
