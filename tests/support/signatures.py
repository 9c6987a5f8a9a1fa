"""What AWS says of a signature that it refuses, collected from public reports; names and times are made up."""

EXPIRED = "Signature expired: 20160610T180547Z is now earlier than 20160610T180612Z (20160610T181112Z - 5 min.)"
EXPIRED_QUARTER = (
    "Signature expired: 20160106T204043Z is now earlier than 20160106T211334Z (20160106T212834Z - 15 min.)"
)
NOT_YET_CURRENT = (
    "Signature not yet current: 20181017T093750Z is still later than 20181017T093639Z (20181017T093139Z + 5 min.)"
)

OF_ITS_TIME = (
    ("InvalidSignatureException", EXPIRED),  # DynamoDB
    ("InvalidSignatureException", EXPIRED_QUARTER),  # DynamoDB
    ("InvalidSignatureException", NOT_YET_CURRENT),
    ("SignatureDoesNotMatch", EXPIRED_QUARTER),  # SQS, STS
    ("SignatureDoesNotMatch", NOT_YET_CURRENT),
    ("AuthFailure", EXPIRED),
    ("RequestExpired", "The request reached the service more than 15 minutes after the date stamp on the request."),
    ("RequestExpired", ""),
    ("RequestInTheFuture", ""),
    ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
)
"""Code and message of refusals for the time alone: the next attempt has a new signature."""

_SIGNED_OTHERWISE = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)

OF_ITSELF = (
    ("InvalidSignatureException", _SIGNED_OTHERWISE),
    ("InvalidSignatureException", f"{_SIGNED_OTHERWISE} The Canonical String should have been 'POST / {EXPIRED}'"),
    ("InvalidSignatureException", "Credential should be scoped to a valid region. "),
    ("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date."),
    ("InvalidSignatureException", ""),
    ("SignatureDoesNotMatch", _SIGNED_OTHERWISE),
    ("SignatureDoesNotMatch", f"\n{_SIGNED_OTHERWISE}"),
    ("AuthFailure", "AWS was not able to validate the provided access credentials"),
    ("IncompleteSignature", "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."),
    ("UnrecognizedClientException", "The security token included in the request is invalid."),
    ("MissingAuthenticationToken", "Request is missing Authentication Token"),
    ("ExpiredTokenException", "The security token included in the request is expired"),
    ("ExpiredToken", "The security token included in the request is expired"),
    ("ExpiredToken", EXPIRED),
    ("AccessDeniedException", EXPIRED),
)
"""Code and message of refusals that no new signature cures."""


def xml_error(code: str, message: str) -> bytes:
    """An error as SQS's query protocol has it."""
    return (
        '<?xml version="1.0"?><ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error>'
        f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message><Detail/></Error>"
        "<RequestId>c0040c63-5c2f-55a9-8be0-419eb3ba4217</RequestId></ErrorResponse>"
    ).encode()
