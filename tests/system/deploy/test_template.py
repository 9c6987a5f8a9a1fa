"""The template for use without CDK: any account and region take it, and CDK includes it in a stack of its own."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.cloudformation_include import CfnInclude

from deploy.context import ARCHITECTURES
from deploy.stack import image
from deploy.template import portable_template
from tests.unit.deploy.assembly import ACCOUNT, IMAGE, Template, template

RELEASE = {"environment": "prod", "runbook": "https://github.com/OWNER/REPOSITORY/blob/v1.2.0/docs/runbook.md"}
"""As `.github/workflows/release.yml` calls it: the rest is from the file as shipped."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return portable_template(RELEASE)


def test_it_names_no_account_and_nothing_of_cdk(document: dict[str, Any]) -> None:
    """An account that is not bootstrapped has neither CDK's bucket nor the parameter with its version."""
    text = json.dumps(document)

    assert document.keys() == {"Description", "Parameters", "Resources", "Outputs"}
    assert [word for word in (ACCOUNT, "cdk-", "bootstrap", "assets", "example.com") if word in text.lower()] == []
    functions = [
        each["Properties"] for each in document["Resources"].values() if each["Type"] == "AWS::Lambda::Function"
    ]
    assert all("S3Bucket" not in each["Code"] for each in functions)


def test_the_only_parameter_has_a_default_and_a_description(document: dict[str, Any]) -> None:
    (name,) = document["Parameters"]
    parameter = document["Parameters"][name]

    assert (name, parameter["Default"]) == ("ImageRepository", "mark-earnings-processed")
    assert parameter["Description"].startswith("The name of the repository in ECR, in this account and region")


def test_it_has_the_resources_of_the_stack_but_recipients_and_archives(document: dict[str, Any]) -> None:
    """An archive of code is an asset. The version's logical ID has a hash of the image."""
    whole = template(auto_redrive_minutes="0")

    def kinds(made: Template) -> list[tuple[str, str]]:
        ids = {
            name: each["Type"]
            for name, each in made.resources.items()
            if each["Type"] != "AWS::SNS::Subscription" and not name.startswith("PreTraffic")
        }
        return sorted((kind, "" if kind == "AWS::Lambda::Version" else name) for name, kind in ids.items())

    assert kinds(Template(document)) == kinds(whole)
    assert document["Outputs"].keys() == whole.document["Outputs"].keys()
    assert Template(document).ids("AWS::SNS::Subscription") == []
    assert [word for word in ("PreTraffic", "AutoRedrive") if word in json.dumps(document)] == []


def test_the_image_is_that_of_the_release(document: dict[str, Any]) -> None:
    """As `.github/workflows/release.yml` tags it."""
    made = Template({**document, "Resources": {**document["Resources"], "ImageRepository": _NAMED}})
    uri = made.one("AWS::Lambda::Function")["Code"]["ImageUri"]

    repository, _, tag = uri.partition(":")
    assert repository.endswith("/<ImageRepository>")
    version, _, architecture = tag.rpartition("-")
    assert version == image.labels()["VERSION"]
    assert architecture in ARCHITECTURES
    assert made.one("AWS::Lambda::Function")["Description"].endswith(f"; image {tag}")


_NAMED = {"Type": "Parameter", "Properties": {}}


def test_another_release_is_another_version(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudFormation publishes a version only if its logical ID is new."""
    monkeypatch.setattr(image, "labels", lambda: {"VERSION": "99.0.0"})

    versions = [Template(each).ids("AWS::Lambda::Version") for each in (document, portable_template(RELEASE))]

    assert versions[0] != versions[1]


def test_an_image_by_its_uri_needs_no_parameter() -> None:
    document = portable_template({**RELEASE, "image_uri": IMAGE, "runbook": "https://wiki.example/runbook"})

    assert "Parameters" not in document
    assert "https://wiki.example/runbook#" in json.dumps(document)


def test_cdk_includes_it(document: dict[str, Any], tmp_path: Path) -> None:
    """With the feature flag of a new application that refuses some included templates."""
    file = tmp_path / "template-prod.json"
    file.write_text(json.dumps(document))
    app = cdk.App(
        context={"@aws-cdk/core:cfnIncludeRejectComplexResourceUpdateCreatePolicyIntrinsics": True},
        outdir=str(tmp_path / "assembly"),
        analytics_reporting=False,
    )
    stack = cdk.Stack(app, "Advisor")
    included = CfnInclude(
        stack, "MarkEarningsProcessed", template_file=str(file), parameters={"ImageRepository": "signal9/earnings"}
    )
    cdk.CfnOutput(stack, "BusOfTheAdvisor", value=cdk.Token.as_string(included.get_output("EventBusArn").value))

    (made,) = app.synth().stacks

    resources: dict[str, Any] = made.template["Resources"]
    assert resources.keys() == document["Resources"].keys()
    expected = json.loads(json.dumps(document["Resources"]).replace('{"Ref": "ImageRepository"}', '"signal9/earnings"'))
    assert _joined(resources) == _joined(expected)
    assert "ImageRepository" not in made.template["Parameters"]


def _joined(value: Any) -> Any:
    """Return a template with neighbouring texts of Fn::Join as one, and without the order of dependencies."""
    match value:
        case {"Fn::Join": ["", list(parts)]}:
            texts: list[Any] = []
            for part in map(_joined, parts):
                if isinstance(part, str) and texts and isinstance(texts[-1], str):
                    texts[-1] += part
                else:
                    texts.append(part)
            return {"Fn::Join": ["", texts]}
        case dict():
            return {
                key: sorted([member] if isinstance(member, str) else member) if key == "DependsOn" else _joined(member)
                for key, member in value.items()
            }
        case list():
            return [_joined(member) for member in value]
    return value
