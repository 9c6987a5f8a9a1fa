"""Suppressions of cdk-nag and checkov findings, each with its reason."""

from typing import Any

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Suppress findings on a resource.

    Args:
        construct: The resource, or a higher-level construct of it.
        reasons: By rule: `CKV_...` is checkov's, everything else cdk-nag's.
    """
    nag = {rule: reason for rule, reason in reasons.items() if not rule.startswith("CKV_")}
    for rule, reason in nag.items():
        cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))
    skips = [{"id": rule, "comment": reason} for rule, reason in reasons.items() if rule not in nag]
    if skips:
        resource: Any = construct if isinstance(construct, cdk.CfnResource) else construct.node.default_child
        resource.add_metadata("checkov", {"skip": skips})
