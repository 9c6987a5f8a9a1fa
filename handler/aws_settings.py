"""The rules for settings of AWS: tables, queue, endpoints, credentials, and everything else that boto3 reads.

boto3 accepts most of them as they are. Without these checks, a wrong value would fail each event.
"""

import string

from otel.settings.environ import (
    AWS_SUFFIXES,
    PROXY_RULE,
    EnvReader,
    is_printable_ascii,
    is_proxy,
    one_of,
    split_url,
    whole_number,
)

QUEUE_URL = "DEAD_LETTER_QUEUE_URL"
ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS")
CREDENTIAL_ENDPOINTS = (
    *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
    *("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC"),
)

_SERVICES = {"sqs", "sqs-fips", "dynamodb", "dynamodb-fips", "ddb", "ddb-fips"}

_BOOLEANS = ("true", "false")
# botocore refuses other values without naming the variable, or reads them as false.
CHOICES = {
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": ("preferred", "disabled", "required"),
    "AWS_DEFAULTS_MODE": ("legacy", "standard", "in-region", "cross-region", "mobile", "auto"),
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": ("ipv4", "ipv6"),
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": _BOOLEANS,
    "AWS_REQUEST_CHECKSUM_CALCULATION": ("when_supported", "when_required"),
    "AWS_RESPONSE_CHECKSUM_VALIDATION": ("when_supported", "when_required"),
    "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH": _BOOLEANS,
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": ("legacy", "regional"),
    "AWS_STS_REGIONAL_ENDPOINTS": ("legacy", "regional"),
    "AWS_USE_DUALSTACK_ENDPOINT": _BOOLEANS,
    "AWS_USE_FIPS_ENDPOINT": _BOOLEANS,
}
NUMBERS = {
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS": (1, 100),
    "AWS_METADATA_SERVICE_TIMEOUT": (1, 60),
    "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": (1, 1_048_576),
}
HEADERS = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_EXECUTION_ENV"),
)
"""Variables that become part of the headers of each request, or sign them."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")

_NAME = string.ascii_letters + string.digits + "_-"


def table(read: EnvReader, name: str, default: str, region: str) -> str:
    """Read the name or the ARN of a DynamoDB table.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html

    Args:
        read: Reads the variable.
        name: The variable.
        default: The value for a variable that is not set or wrong.
        region: The region of the function; empty if it is not known.
    """
    value = read.text(name, default)
    arn = value.split(":", 5)
    if len(arn) == 6:
        table_name = arn[5].removeprefix("table/") if arn[5].startswith("table/") else ""
        well_formed = arn[0] == "arn" and arn[1].startswith("aws") and arn[2] == "dynamodb" and _is_account(arn[4])
    else:
        table_name, well_formed = value, True
    if not well_formed or not 3 <= len(table_name) <= 255 or table_name.strip(_NAME + "."):
        read.refuse(name, "the name of a DynamoDB table (3 to 255 letters, digits, _ . -) or its ARN")
    elif table_name is not value and region not in {"", arn[3]}:
        read.refuse(name, "the ARN of a table in the function's own region")
    return value


def queue_url(read: EnvReader, region: str) -> str:
    """Read the URL of the dead-letter queue: a standard queue, which the function can reach.

    Args:
        read: Reads the variables.
        region: The region of the function; empty if it is not known.
    """
    url = read.text(QUEUE_URL)
    if not url:
        read.add(QUEUE_URL, f"{QUEUE_URL} is not set: give the URL of the SQS queue for events that cannot succeed")
        return ""
    try:
        user, host, path = split_url(url, also_in_host="_")
    except ValueError:
        user, host, path = "", "", ""
    *account, queue = path.removeprefix("/").split("/")
    if not queue or (host_region(host) and not (len(account) == 1 and _is_account(account[0]) and _is_queue(queue))):
        read.refuse(QUEUE_URL, "a URL such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    elif user:
        read.refuse(QUEUE_URL, "a URL without a user or password: requests are signed with the function's credentials")
    elif queue.endswith(".fifo"):
        read.refuse(QUEUE_URL, "the URL of a standard queue, not of a FIFO queue")
    elif _is_elsewhere(host, region) and not _goes_to_emulator(read):
        read.refuse(QUEUE_URL, "the URL of a queue in the function's own region: the URL's host is in another one")
    return url


def check_aws(read: EnvReader, region: str) -> None:
    """Check the variables that boto3 reads; the problems are in `read.problems` afterwards.

    Args:
        read: Reads the variables.
        region: The region of the function; empty if it is not known.
    """
    for name in ENDPOINTS:
        rule = "a URL such as http://localhost:8000, its host of letters, digits, . and -"
        read.check(name, lambda text: not split_url(text)[0], rule)
        if _is_elsewhere(_host(read, name), region):
            read.refuse(name, "an endpoint in the function's own region, for which requests are signed")
    for name in CREDENTIAL_ENDPOINTS:
        read.check(name, split_url, "a URL such as http://169.254.170.23/v1/credentials")
    read.check("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", _is_path, "the path of a URL, beginning with a slash")
    for name in HEADERS:
        rule = "printable ASCII without blanks: copy it again, without the line's end"
        read.check(name, lambda text: is_printable_ascii(text) and " " not in text, rule)
    key, secret = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    if bool(read.raw(key)) != bool(read.raw(secret)):
        read.add(key, f"{key} and {secret} must be set together")
    for name, allowed in CHOICES.items():
        read.check(name, one_of(*allowed), f"one of {', '.join(allowed)}")
    for name, (least, most) in NUMBERS.items():
        read.check(name, whole_number(least, most), f"a whole number from {least} to {most}")
    for name in PROXIES:
        read.check(name, is_proxy, PROXY_RULE)
    # The same order as in handler.coldstart.botocore_session and in botocore.
    bundle = "AWS_CA_BUNDLE" if read.raw("AWS_CA_BUNDLE") else "REQUESTS_CA_BUNDLE"
    if read.raw(bundle):
        from otel.settings.certificates import is_ca_file

        read.check(bundle, is_ca_file, "a readable file of PEM certificates")
    read.check("SSLKEYLOGFILE", _is_writable, "a file that can be written: leave it unset where there is no need")


def host_region(host: str) -> str:
    """Return the region of a host of AWS's; empty for any other host, and for names without a region.

    The forms: `SERVICE.REGION.SUFFIX` with and without FIPS and IPv6, `VPCE.SERVICE.REGION.vpce.SUFFIX` of an interface
    endpoint, `ACCOUNT.ddb.REGION.SUFFIX`, and the older `REGION.queue.SUFFIX` and `queue.amazonaws.com`, which is in
    us-east-1 (https://docs.aws.amazon.com/general/latest/gr/sqs-service.html).
    """
    if host == "queue.amazonaws.com":
        return "us-east-1"
    suffix = next((suffix for suffix in AWS_SUFFIXES if host.endswith(suffix)), None)
    if suffix is None:
        return ""
    labels = host.removesuffix(suffix).removesuffix(".vpce").split(".")
    service, region = ["", *labels][-2:]
    if region == "queue":
        return service
    return region if service in _SERVICES else ""  # other hosts belong to customers: of EC2, of a load balancer


def _is_elsewhere(host: str, region: str) -> bool:
    """Return whether a host of AWS's is in another region; `fips-REGION` and `REGION-fips` are older names."""
    return bool(region) and host_region(host) not in {"", region.removeprefix("fips-").removesuffix("-fips")}


def _host(read: EnvReader, name: str) -> str:
    try:
        return split_url(read.raw(name).strip())[1]
    except ValueError:
        return ""


def _goes_to_emulator(read: EnvReader) -> bool:
    """Return whether requests to SQS go to an emulator: the queue's URL is then a name that only the emulator knows."""
    if read.raw("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").lower() == "true":
        return False
    name = "AWS_ENDPOINT_URL_SQS" if read.raw("AWS_ENDPOINT_URL_SQS") else "AWS_ENDPOINT_URL"
    return bool(read.raw(name)) and not host_region(_host(read, name))


def _is_account(text: str) -> bool:
    return len(text) == 12 and text.isascii() and text.isdecimal()


def _is_queue(text: str) -> bool:
    return len(text) <= 80 and not text.removesuffix(".fifo").strip(_NAME)


def _is_path(text: str) -> bool:
    return text.startswith("/") and is_printable_ascii(text) and " " not in text


def _is_writable(path: str) -> bool:
    try:
        with open(path, "ab"):
            return True
    except OSError:
        return False
