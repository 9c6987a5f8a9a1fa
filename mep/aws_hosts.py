"""Which host a URL names: AWS's, in which region, or somebody else's."""

import re
from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit

from botocore.loaders import Loader

_REGION_LABEL = re.compile(r"[a-z]+(-[a-z]+)+-[0-9]+")
_USERS_MACHINES = {"compute", "compute-1", "elb"}  # hosts of AWS's that are no service of AWS's


def region_variable(environ: Mapping[str, str]) -> tuple[str, str]:
    """The variable that names the region, and the region; `AWS_REGION` wins. Two empty texts where none does."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if region := environ.get(name, "").strip():
            return name, region
    return "", ""


def region_of(text: str) -> str:
    """The region that a queue's URL or an ARN names; empty where it names none."""
    if text.startswith("arn:"):
        parts = text.split(":")
        return parts[3] if len(parts) > 3 else ""
    return _place(text)[1]


def is_aws(url: str) -> bool:
    """Whether a URL's host is a service of AWS's, in any partition."""
    return bool(_place(url)[0])


def is_public_queue(url: str) -> bool:
    """Whether a URL's host is AWS's usual one, or the older form of it: no VPC endpoint, FIPS or dual-stack host."""
    suffix, region, service = _place(url)
    return bool(region) and suffix in _suffixes()[0] and service in {"sqs", "queue"}


def _place(url: str) -> tuple[str, str, str]:
    """The domain of AWS's that a URL's host is in, the region, and the rest of the name. Empty where there is none.

    https://docs.aws.amazon.com/general/latest/gr/sqs-service.html has the forms: `sqs.REGION`, `REGION.queue`, `queue`
    (the first region's), `sqs-fips.REGION`; `vpce-ID.sqs.REGION.vpce` is a VPC endpoint's.
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # no URL, whatever it begins with
        return "", "", ""
    for suffix in (*_suffixes()[0], *_suffixes()[1]):
        if not host.endswith(f".{suffix}"):
            continue
        labels = host.removesuffix(f".{suffix}").split(".")
        if _USERS_MACHINES & set(labels):
            break
        if labels == ["queue"] and suffix == "amazonaws.com":
            return suffix, "us-east-1", "queue"
        position = -2 if labels[-1] in {"queue", "vpce"} and len(labels) > 1 else -1
        region = labels.pop(position)
        if not _REGION_LABEL.fullmatch(region):
            return suffix, "", ".".join([*labels, region])
        return suffix, region, ".".join(labels)
    return "", "", ""


@cache
def _suffixes() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The domains of AWS's partitions, and those of their dual-stack hosts; longer ones first."""
    found = [partition["outputs"] for partition in Loader().load_data("partitions")["partitions"]]
    plain, dual_stack = ({outputs[name] for outputs in found} for name in ("dnsSuffix", "dualStackDnsSuffix"))
    return tuple(sorted(plain, key=len, reverse=True)), tuple(sorted(dual_stack, key=len, reverse=True))


def origin(url: str) -> str:
    """Scheme, host and port of a URL, without the user and password that it may have."""
    return f"{urlsplit(url).scheme}://{authority(url)}"


def authority(url: str) -> str:
    """Host and port of a URL, without the user and password that it may have."""
    return urlsplit(url).netloc.rpartition("@")[2]
