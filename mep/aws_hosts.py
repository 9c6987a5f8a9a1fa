"""What the host of a URL is: an AWS endpoint, in which region, or another server.

The handler reads a queue's region by itself (`handler/aws_settings.py`), from a list of suffixes: botocore's
`partitions` file, which this module reads, would cost its cold start.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

from botocore.loaders import Loader

_REGION_LABEL = re.compile(r"[a-z]+(-[a-z]+)+-[0-9]+")
_CUSTOMER_HOSTS = {"compute", "compute-1", "elb"}  # customers' machines on AWS's domains, not service endpoints
_ARN_REGION = 3


class _AwsHost(NamedTuple):
    """A host name by its parts; every part is empty for a host that is not AWS's.

    Attributes:
        suffix: The DNS suffix of the partition.
        region: The region; empty where the name has none.
        service: The other labels of the name.
    """

    suffix: str = ""
    region: str = ""
    service: str = ""


def region_variable(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable that sets the region and its value, `AWS_REGION` first; two empty texts where none does."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if region := environ.get(name, "").strip():
            return name, region
    return "", ""


def region_of(text: str) -> str:
    """Return the region of a queue's URL or an ARN; empty where it has none."""
    if text.startswith("arn:"):
        parts = text.split(":")
        return parts[_ARN_REGION] if len(parts) > _ARN_REGION else ""
    return _parse_host(text).region


def is_aws(url: str) -> bool:
    """Return whether the host of a URL is an AWS endpoint, in any partition."""
    return bool(_parse_host(url).suffix)


def is_loopback(url: str) -> bool:
    """Return whether the host of a URL is this machine, as those of `mep local --keep`."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def is_public_queue(url: str) -> bool:
    """Return whether the host is the public SQS endpoint, current or legacy: no VPC endpoint, FIPS or dual-stack."""
    host = _parse_host(url)
    return bool(host.region) and host.suffix in _suffixes()[0] and host.service in {"sqs", "queue"}


def origin(url: str) -> str:
    """Return scheme, host and port of a URL, without user and password."""
    return f"{urlsplit(url).scheme}://{authority(url)}"


def authority(url: str) -> str:
    """Return host and port of a URL, without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _parse_host(url: str) -> _AwsHost:
    """Return the parts of a URL's host.

    https://docs.aws.amazon.com/general/latest/gr/sqs-service.html has the forms: `sqs.REGION`, `REGION.queue`, `queue`
    (in us-east-1), `sqs-fips.REGION`; `vpce-ID.sqs.REGION.vpce` is a VPC endpoint.
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # not a URL
        return _AwsHost()
    for suffix in (*_suffixes()[0], *_suffixes()[1]):
        if not host.endswith(f".{suffix}"):
            continue
        labels = host.removesuffix(f".{suffix}").split(".")
        if _CUSTOMER_HOSTS & set(labels):
            break
        if labels == ["queue"] and suffix == "amazonaws.com":
            return _AwsHost(suffix, "us-east-1", "queue")
        position = -2 if labels[-1] in {"queue", "vpce"} and len(labels) > 1 else -1
        region = labels.pop(position)
        if not _REGION_LABEL.fullmatch(region):
            return _AwsHost(suffix, "", ".".join([*labels, region]))
        return _AwsHost(suffix, region, ".".join(labels))
    return _AwsHost()


@cache
def _suffixes() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the DNS suffixes of AWS's partitions, and those of their dual-stack endpoints; longer ones first."""
    outputs = [partition["outputs"] for partition in Loader().load_data("partitions")["partitions"]]
    plain, dual_stack = ({output[name] for output in outputs} for name in ("dnsSuffix", "dualStackDnsSuffix"))
    return tuple(sorted(plain, key=len, reverse=True)), tuple(sorted(dual_stack, key=len, reverse=True))
