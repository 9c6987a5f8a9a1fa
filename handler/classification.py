"""Classifies the failures of AWS calls: error codes, responses and exceptions to categories."""

from collections.abc import Iterable, Mapping
from traceback import walk_tb
from typing import Any

from botocore import endpoint
from botocore import exceptions as boto

from handler.errors import ErrorCategory

CONDITION_FAILED = "ConditionalCheckFailed"
"""The cancellation reason of a condition that did not hold: an answer, not an error, where no other reason is given."""

NO_REASON = "None"
"""The cancellation reason of an item with which nothing was wrong."""

TRANSACTION_CANCELED = "TransactionCanceledException"
"""The error of a transaction that did not commit; its cancellation reasons say why."""

INVALID_RESPONSE = "UnreadableReply"
"""Our own code for a success without content: an unreadable body with status 200, or none."""


def _map(category: ErrorCategory, names: str) -> dict[str, ErrorCategory]:
    return dict.fromkeys(names.split(), category)


# Every error code of DynamoDB's and SQS's models, their cancellation reasons, and the codes common to all AWS services
# (which no model lists). tests/unit/handler/test_classification.py walks the models: a code that is new breaks the
# build.
CATEGORY_BY_CODE: Mapping[str, ErrorCategory] = {
    **_map(
        ErrorCategory.THROTTLING,
        """ProvisionedThroughputExceededException ProvisionedThroughputExceeded ThrottlingException ThrottlingError
        Throttling RequestLimitExceeded RequestThrottled RequestThrottledException TooManyRequestsException
        LimitExceededException OverLimit KmsThrottled PriorRequestNotComplete SlowDown ThrottledException
        BandwidthLimitExceeded EC2ThrottledException""",
    ),
    # The last three: the signature's time is not the service's. The next attempt has a new signature.
    **_map(
        ErrorCategory.NETWORK,
        "RequestTimeout RequestTimeoutException RequestExpired RequestInTheFuture RequestTimeTooSkewed",
    ),
    **_map(
        ErrorCategory.CONFLICT,
        """TransactionConflictException TransactionConflict TransactionInProgressException
        ReplicatedWriteConflictException""",
    ),
    **_map(
        ErrorCategory.DYNAMODB,
        """InternalServerError InternalServerException InternalFailure InternalError ServiceUnavailable
        ServiceUnavailableException UnreadableReply""",
    ),
    **_map(
        ErrorCategory.ACCESS_DENIED,
        """AccessDeniedException AccessDenied UnrecognizedClientException InvalidClientTokenId ExpiredTokenException
        ExpiredToken InvalidSignatureException SignatureDoesNotMatch IncompleteSignature
        IncompleteSignatureException MissingAuthenticationToken MissingAuthenticationTokenException AuthFailure
        NotAuthorized OptInRequired InvalidSecurity KmsAccessDenied KmsDisabled KmsInvalidKeyUsage KmsInvalidState
        KmsNotFound KmsOptInRequired""",
    ),
    **_map(
        ErrorCategory.CONFIGURATION,
        """ResourceNotFoundException TableNotFoundException IndexNotFoundException ResourceInUseException
        TableInUseException ValidationException ValidationError ItemCollectionSizeLimitExceededException
        ItemCollectionSizeLimitExceeded QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue
        QueueDeletedRecently InvalidAddress UnsupportedOperation UnknownOperationException SerializationException""",
    ),
    # Codes that only requests of another form than ours get: one of them means a defect of ours.
    **_map(
        ErrorCategory.INTERNAL,
        """IdempotentParameterMismatchException DuplicateItemException DuplicateItem BackupInUseException
        BackupNotFoundException ContinuousBackupsUnavailableException ExportConflictException ExportNotFoundException
        GlobalTableAlreadyExistsException GlobalTableNotFoundException ImportConflictException ImportNotFoundException
        InvalidExportTimeException InvalidRestoreTimeException PointInTimeRecoveryUnavailableException
        PolicyNotFoundException ReplicaAlreadyExistsException ReplicaNotFoundException TableAlreadyExistsException
        BatchEntryIdsNotDistinct BatchRequestTooLong EmptyBatchRequest InvalidAttributeName InvalidAttributeValue
        InvalidBatchEntryId InvalidIdFormat InvalidMessageContents MessageNotInflight PurgeQueueInProgress
        QueueNameExists ReceiptHandleIsInvalid TooManyEntriesInBatchRequest ConditionalCheckFailedException""",
    ),
    # Of STS, SSO and OIDC, which botocore asks for credentials.
    **_map(ErrorCategory.NETWORK, "IDPCommunicationError"),
    **_map(ErrorCategory.THROTTLING, "SlowDownException"),
    **_map(
        ErrorCategory.ACCESS_DENIED,
        """AuthorizationPendingException IDPRejectedClaim InvalidClientException InvalidGrantException
        InvalidIdentityToken InvalidRequestException InvalidScopeException MalformedPolicyDocument PackedPolicyTooLarge
        RegionDisabledException UnauthorizedClientException UnauthorizedException UnsupportedGrantTypeException""",
    ),
}

# In a transaction several reasons can come at once: what no retry cures decides, then what asks for the longest wait.
_PRECEDENCE = (
    ErrorCategory.ACCESS_DENIED,
    ErrorCategory.CONFIGURATION,
    ErrorCategory.INTERNAL,
    ErrorCategory.THROTTLING,
    ErrorCategory.CONFLICT,
    ErrorCategory.DYNAMODB,
)

_BY_EXCEPTION: tuple[tuple[type[Exception], ErrorCategory], ...] = (
    (boto.HTTPClientError, ErrorCategory.NETWORK),  # resets, proxies, TLS
    (boto.ConnectionError, ErrorCategory.NETWORK),  # refused connections, timeouts
    (boto.IncompleteReadError, ErrorCategory.NETWORK),
    (boto.ResponseStreamingError, ErrorCategory.NETWORK),
    (boto.NoCredentialsError, ErrorCategory.ACCESS_DENIED),
    (boto.PartialCredentialsError, ErrorCategory.ACCESS_DENIED),
    (boto.CredentialRetrievalError, ErrorCategory.ACCESS_DENIED),
    (boto.MetadataRetrievalError, ErrorCategory.ACCESS_DENIED),
    (boto.TokenRetrievalError, ErrorCategory.ACCESS_DENIED),
    (boto.NoAuthTokenError, ErrorCategory.ACCESS_DENIED),
    (boto.SSOError, ErrorCategory.ACCESS_DENIED),
    (boto.LoginError, ErrorCategory.ACCESS_DENIED),
    (boto.InfiniteLoopConfigError, ErrorCategory.ACCESS_DENIED),
    (boto.RefreshWithMFAUnsupportedError, ErrorCategory.ACCESS_DENIED),
    (boto.UnknownCredentialError, ErrorCategory.ACCESS_DENIED),
    (boto.UnknownTokenProviderError, ErrorCategory.ACCESS_DENIED),
    (boto.NoRegionError, ErrorCategory.CONFIGURATION),
    (boto.EndpointProviderError, ErrorCategory.CONFIGURATION),
    (boto.InvalidRegionError, ErrorCategory.CONFIGURATION),
    (boto.ParamValidationError, ErrorCategory.INTERNAL),
)

# Only the message of a refused signature says that its time is wrong, as after a freeze between signing and sending:
# "Signature expired: 20160610T180547Z is now earlier than 20160610T180612Z (... - 5 min.)", or "Signature not yet
# current: ... is still later than ... (... + 5 min.)".
_SIGNATURE_CODES = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure"})
_SIGNATURE_TIME = ("Signature expired", "Signature not yet current")
_CREDENTIAL_MODULES = frozenset({"botocore.credentials", "botocore.tokens", "handler.coldstart.credentials"})
"""Every request for credentials runs through one of these modules, whatever it raises."""

_PASSING = frozenset({ErrorCategory.NETWORK, ErrorCategory.THROTTLING, ErrorCategory.DYNAMODB})
"""Categories that stay as they are when a request for credentials fails: the next attempt asks again."""

_SERVER_FAULT = 500
_BY_STATUS = {
    408: ErrorCategory.NETWORK,
    429: ErrorCategory.THROTTLING,
    401: ErrorCategory.ACCESS_DENIED,
    403: ErrorCategory.ACCESS_DENIED,
}


def classify_code(code: str, status: int) -> ErrorCategory:
    """Return the category of an AWS error code.

    Args:
        code: `Error.Code` of the response. A proxy's page has none.
        status: HTTP status; decides where the code is unknown. An unknown 4xx is `configuration`: the request is
            refused as it is, so a person must look at it.
    """
    known = CATEGORY_BY_CODE.get(code)
    if known is not None:
        return known
    if status >= _SERVER_FAULT:
        return ErrorCategory.DYNAMODB
    return _BY_STATUS.get(status, ErrorCategory.CONFIGURATION)


def classify_response(reply: Mapping[str, Any]) -> ErrorCategory | None:
    """Return the category of a botocore response; None for a success and for a condition that did not hold.

    DynamoDB evaluates the items of a transaction one by one. A failed condition is the answer only if no item has any
    other reason. Beside a conflict, another transaction may change what the condition saw. Beside throttling or an
    error, nothing is known of the other item, which may be the row; and a missing permission or an invalid request must
    not be reported as a duplicate. The whole transaction is safe to repeat, so the other reason decides.

    Args:
        reply: What botocore parsed: `Error`, `ResponseMetadata` and, for a transaction, `CancellationReasons`.
    """
    error = reply.get("Error")
    if error is None:
        return None
    code = str(error.get("Code", ""))
    if code == TRANSACTION_CANCELED:
        reasons = {str(reason.get("Code")) for reason in reply.get("CancellationReasons", ()) if reason} - {NO_REASON}
        if reasons == {CONDITION_FAILED}:
            return None
        return _most_severe(classify_code(reason, 400) for reason in reasons - {CONDITION_FAILED})
    # SQS's errors have two names; `Code` is the older one: `KMS.AccessDeniedException` for `KmsAccessDenied`.
    other_code = str(error.get("QueryErrorCode"))
    # Only to classify: a message may hold anything, and goes nowhere.
    if _SIGNATURE_CODES & {code, other_code} and str(error.get("Message")).startswith(_SIGNATURE_TIME):
        return ErrorCategory.NETWORK
    known = CATEGORY_BY_CODE.get(other_code)
    return known or classify_code(code, int(reply.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)))


def _most_severe(categories: Iterable[ErrorCategory]) -> ErrorCategory:
    found = set(categories)
    # A cancellation without a reason is a failure of the service.
    return next((category for category in _PRECEDENCE if category in found), ErrorCategory.DYNAMODB)


def classify_exception(error: BaseException) -> ErrorCategory:
    """Return the category of an exception that a call raised; `internal` where there is no other."""
    category = _of_container(error) or _by_class(error)
    modules = {frame.f_globals.get("__name__") for frame, _ in walk_tb(error.__traceback__)}
    if not modules.isdisjoint(_CREDENTIAL_MODULES):
        # Credentials are not available, or have expired. botocore has no class of its own for that.
        return category if category in _PASSING else ErrorCategory.ACCESS_DENIED
    if category is None:
        # botocore has no exception for a response that it cannot parse, either. It handles responses in its endpoint
        # module; for requests that cannot be sent it has exceptions.
        return ErrorCategory.DYNAMODB if endpoint.__name__ in modules else ErrorCategory.INTERNAL
    return category


def _of_container(error: BaseException) -> ErrorCategory | None:
    """Return the category of a request to a container's credential endpoint that did not come through; None otherwise.

    botocore has one exception for each failure of it. SnapStart's credentials come from there: what passes must not
    make a dead letter.
    """
    cause: BaseException | None = error
    while isinstance(cause, boto.CredentialRetrievalError | boto.MetadataRetrievalError):
        cause = cause.__context__
    if cause is error:
        return None
    if isinstance(cause, boto.HTTPClientError | boto.ConnectionError):
        return ErrorCategory.NETWORK
    # Only the message has the status; only to classify, as above.
    status = str(error).partition("Received non 200 response ")[2][:3]
    category = classify_code("", int(status)) if status.isdecimal() else None
    return category if category in _PASSING else None


def _by_class(error: BaseException) -> ErrorCategory | None:
    for kind, category in _BY_EXCEPTION:
        if isinstance(error, kind):
            return category
    if isinstance(error, boto.ClientError):  # a call that botocore made by itself, for credentials
        return classify_response(error.response) or ErrorCategory.INTERNAL
    return None
