"""Rules of the gates that a resource breaks on purpose: each with the reason, beside the resource."""

from typing import Any

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Say why a resource breaks a rule.

    Args:
        construct: the resource; a construct of a higher level stands for the resource in it.
        reasons: by rule: `CKV_...` of checkov, everything else of cdk-nag.
    """
    nag = {rule: reason for rule, reason in reasons.items() if not rule.startswith("CKV_")}
    for rule, reason in nag.items():
        cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))
    skips = [{"id": rule, "comment": reason} for rule, reason in reasons.items() if rule not in nag]
    if skips:
        resource: Any = construct if isinstance(construct, cdk.CfnResource) else construct.node.default_child
        resource.add_metadata("checkov", {"skip": skips})
