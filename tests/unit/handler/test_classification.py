"""Every failure has a category: AWS's models and botocore's exceptions are walked, so a new one shows here first."""

import inspect
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NoReturn
from unittest.mock import Mock

import botocore.session
import pytest
from botocore import exceptions as boto
from botocore.awsrequest import AWSResponse
from botocore.credentials import ContainerProvider, RefreshableCredentials
from botocore.model import ServiceModel
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from botocore.utils import RETRYABLE_HTTP_ERRORS, ContainerMetadataFetcher
from hypothesis import given
from hypothesis import strategies as st

from deploy.image.trim_botocore import CREDENTIAL_OPERATIONS
from handler.aws import exception_code
from handler.classification import CATEGORY_BY_CODE, classify_code, classify_exception, classify_response
from handler.errors import ErrorCategory
from tests.support.signatures import EXPIRED, OF_ITS_TIME, OF_ITSELF
from tests.support.strategies import any_text

C = ErrorCategory

EXPECTED_TRANSIENT = {
    C.VALIDATION: False,
    C.NOT_FOUND: False,
    C.THROTTLING: True,
    C.NETWORK: True,
    C.CONFLICT: True,
    C.DYNAMODB: True,
    C.ACCESS_DENIED: False,
    C.CONFIGURATION: False,
    C.TIMEOUT: True,
    C.INTERNAL: True,
}

EXPECTED_CODES = {
    "ProvisionedThroughputExceededException": C.THROTTLING,
    "ThrottlingException": C.THROTTLING,
    "RequestLimitExceeded": C.THROTTLING,
    "ThrottlingError": C.THROTTLING,
    "RequestThrottled": C.THROTTLING,
    "KmsThrottled": C.THROTTLING,
    "TransactionConflict": C.CONFLICT,
    "TransactionConflictException": C.CONFLICT,
    "TransactionInProgressException": C.CONFLICT,
    "InternalServerError": C.DYNAMODB,
    "ServiceUnavailable": C.DYNAMODB,
    "AccessDeniedException": C.ACCESS_DENIED,
    "UnrecognizedClientException": C.ACCESS_DENIED,
    "ExpiredTokenException": C.ACCESS_DENIED,
    "InvalidSignatureException": C.ACCESS_DENIED,
    "KmsAccessDenied": C.ACCESS_DENIED,
    "KmsDisabled": C.ACCESS_DENIED,
    "KmsInvalidState": C.ACCESS_DENIED,
    "ResourceNotFoundException": C.CONFIGURATION,
    "ValidationException": C.CONFIGURATION,
    "QueueDoesNotExist": C.CONFIGURATION,
    "AWS.SimpleQueueService.NonExistentQueue": C.CONFIGURATION,
    # A new token with each invocation cures it: it must come back, not go to the queue.
    "IdempotentParameterMismatchException": C.INTERNAL,
}

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
EXPECTED_REASONS = {
    "ItemCollectionSizeLimitExceeded": C.CONFIGURATION,
    "TransactionConflict": C.CONFLICT,
    "ProvisionedThroughputExceeded": C.THROTTLING,
    "ThrottlingError": C.THROTTLING,
    "ValidationError": C.CONFIGURATION,
    "AccessDenied": C.ACCESS_DENIED,
    "DuplicateItem": C.INTERNAL,
}

# A failed condition answers only where every item was judged; else the other reason decides. For each, why.
BESIDE_A_FAILED_CONDITION = {
    "None": None,  # nothing was wrong with the other item
    "ConditionalCheckFailed": None,  # both were judged
    "TransactionConflict": C.CONFLICT,  # another transaction may be about to change what the condition saw
    "ThrottlingError": C.THROTTLING,  # the other item, perhaps the row, was not looked at
    "ProvisionedThroughputExceeded": C.THROTTLING,
    "AccessDenied": C.ACCESS_DENIED,  # a duplicate must not mask a missing permission
    "ValidationError": C.CONFIGURATION,  # nor a request that can never succeed
    "ItemCollectionSizeLimitExceeded": C.CONFIGURATION,
    "DuplicateItem": C.INTERNAL,  # nor a defect of ours
    "SomethingNew": C.CONFIGURATION,  # nobody knows what it means: it goes to a person
}

DECIDED_WITHOUT_A_TABLE = {"TransactionCanceledException"}
"""Its reasons decide."""

HEAVIEST_FIRST = (C.ACCESS_DENIED, C.CONFIGURATION, C.INTERNAL, C.THROTTLING, C.CONFLICT, C.DYNAMODB)


def test_the_words_are_a_contract() -> None:
    assert [category.value for category in ErrorCategory] == [
        "validation",
        "not_found",
        "throttling",
        "network",
        "conflict",
        "dynamodb",
        "access_denied",
        "configuration",
        "timeout",
        "internal",
    ]


def test_what_is_transient() -> None:
    assert {category: category.transient for category in ErrorCategory} == EXPECTED_TRANSIENT


@pytest.mark.parametrize(("code", "category"), EXPECTED_CODES.items())
def test_codes(code: str, category: ErrorCategory) -> None:
    assert classify_code(code, 400) is category


class TestModels:
    """What AWS says it may answer."""

    @pytest.mark.parametrize("service", ["dynamodb", "sqs"])
    def test_every_exception_is_classified(self, service: str) -> None:
        model = botocore.session.Session().get_service_model(service)
        assert len(_error_codes(model)) > 20  # the walk finds something
        assert _unclassified(model) == set()

    @pytest.mark.parametrize("service", CREDENTIAL_OPERATIONS)
    def test_every_exception_of_what_gives_credentials_is_classified(self, service: str) -> None:
        model = botocore.session.Session().get_service_model(service)
        called = [model.operation_model(name) for name in CREDENTIAL_OPERATIONS[service]]
        codes = {shape.error_code for operation in called for shape in operation.error_shapes}  # type: ignore[attr-defined]
        assert len(codes) > 3
        assert codes <= set(CATEGORY_BY_CODE)

    def test_what_botocore_itself_would_retry_is_transient(self) -> None:
        codes = {
            *TransientRetryableChecker._TRANSIENT_ERROR_CODES,  # type: ignore[attr-defined]
            *ThrottledRetryableChecker._THROTTLED_ERROR_CODES,  # type: ignore[attr-defined]
        }
        assert {code for code in codes if not CATEGORY_BY_CODE[code].transient} == set()

    def test_a_new_exception_would_be_noticed(self) -> None:
        error = {"type": "structure", "members": {}, "exception": True}
        model = ServiceModel({"metadata": {}, "operations": {}, "shapes": {"BrandNewException": error}})
        assert _unclassified(model) == {"BrandNewException"}

    def test_no_model_knows_a_code_as_two_things(self) -> None:
        assert set(CATEGORY_BY_CODE).isdisjoint(DECIDED_WITHOUT_A_TABLE)
        assert "ConditionalCheckFailed" not in CATEGORY_BY_CODE  # an answer


def _error_codes(model: ServiceModel) -> set[str]:
    names = {name for name in model.shape_names if model.shape_for(name).metadata.get("exception")}
    return names | {shape.error_code for shape in model.error_shapes}  # type: ignore[attr-defined]


def _unclassified(model: ServiceModel) -> set[str]:
    return _error_codes(model) - set(CATEGORY_BY_CODE) - DECIDED_WITHOUT_A_TABLE


class TestUnknownCodes:
    """What no table knows."""

    @pytest.mark.parametrize(
        ("status", "category"),
        [
            (500, C.DYNAMODB),
            (502, C.DYNAMODB),
            (503, C.DYNAMODB),
            (504, C.DYNAMODB),
            (429, C.THROTTLING),
            (401, C.ACCESS_DENIED),
            (403, C.ACCESS_DENIED),
            (400, C.CONFIGURATION),
            (404, C.CONFIGURATION),
            (413, C.CONFIGURATION),
            (302, C.CONFIGURATION),
        ],
    )
    @pytest.mark.parametrize("code", ["", "SomethingNew", "Http"])
    def test_the_status_decides(self, code: str, status: int, category: ErrorCategory) -> None:
        assert classify_code(code, status) is category

    @given(st.sampled_from(sorted(CATEGORY_BY_CODE)), st.integers(300, 599))
    def test_a_known_code_outweighs_the_status(self, code: str, status: int) -> None:
        assert classify_code(code, status) is CATEGORY_BY_CODE[code]

    @given(any_text, st.integers(0, 999))
    def test_anything_has_a_category(self, code: str, status: int) -> None:
        assert isinstance(classify_code(code, status), ErrorCategory)


class TestReplies:
    """What botocore makes of a reply."""

    def test_a_success(self) -> None:
        assert classify_response({"ResponseMetadata": {"HTTPStatusCode": 200}}) is None

    def test_code_and_status(self) -> None:
        assert classify_response(_error("ThrottlingException", 400)) is C.THROTTLING
        assert classify_response(_error("Http503", 503)) is C.DYNAMODB

    def test_without_a_code_or_a_status(self) -> None:
        assert classify_response({"Error": {}}) is C.CONFIGURATION

    @pytest.mark.parametrize(
        ("older_name", "name", "category"),
        [
            ("KMS.AccessDeniedException", "KmsAccessDenied", C.ACCESS_DENIED),
            ("KMS.DisabledException", "KmsDisabled", C.ACCESS_DENIED),
            ("KMS.ThrottlingException", "KmsThrottled", C.THROTTLING),
            ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", C.CONFIGURATION),
            ("AWS.SimpleQueueService.UnsupportedOperation", "UnsupportedOperation", C.CONFIGURATION),
            ("QueueAlreadyExists", "QueueNameExists", C.INTERNAL),
        ],
    )
    def test_sqs_errors_have_two_names(self, older_name: str, name: str, category: ErrorCategory) -> None:
        reply = _error(older_name, 400)
        reply["Error"]["QueryErrorCode"] = name
        assert classify_response(reply) is category


class TestSignatures:
    """A signature that is refused because of its time, and one that is wrong."""

    @pytest.mark.parametrize(("code", "message"), OF_ITS_TIME)
    def test_its_time_passes(self, code: str, message: str) -> None:
        reply: Any = _error(code, 403, message)
        assert classify_response(reply) is C.NETWORK
        assert classify_exception(boto.ClientError(reply, "AssumeRole")) is C.NETWORK

    @pytest.mark.parametrize(("code", "message"), OF_ITSELF)
    def test_what_else_is_wrong_with_it_does_not(self, code: str, message: str) -> None:
        assert classify_response(_error(code, 403, message)) is C.ACCESS_DENIED

    @pytest.mark.parametrize("name", ["Code", "QueryErrorCode"])
    def test_sqs_has_two_names_for_it(self, name: str) -> None:
        reply = _error("SomethingElse", 403, EXPIRED)
        reply["Error"][name] = "SignatureDoesNotMatch"
        assert classify_response(reply) is C.NETWORK

    @given(st.sampled_from(sorted({*CATEGORY_BY_CODE} - {code for code, _ in OF_ITS_TIME})), any_text)
    def test_no_other_code_is_judged_by_its_message(self, code: str, text: str) -> None:
        assert classify_response(_error(code, 400, EXPIRED + text)) is CATEGORY_BY_CODE[code]

    @given(st.none() | st.integers() | any_text | st.lists(any_text))
    def test_any_message_will_do(self, message: Any) -> None:
        assert classify_response(_error("InvalidSignatureException", 400, message)) is C.ACCESS_DENIED


class TestCancellations:
    """A transaction that did not commit."""

    def test_a_condition_that_did_not_hold_is_an_answer(self) -> None:
        assert classify_response(_cancelled("ConditionalCheckFailed", "None")) is None

    @pytest.mark.parametrize(("code", "category"), BESIDE_A_FAILED_CONDITION.items())
    def test_beside_another_reason(self, code: str, category: ErrorCategory | None) -> None:
        assert classify_response(_cancelled("ConditionalCheckFailed", code)) is category
        assert classify_response(_cancelled(code, "ConditionalCheckFailed")) is category

    def test_every_documented_reason_is_decided(self) -> None:
        assert EXPECTED_REASONS.keys() <= BESIDE_A_FAILED_CONDITION.keys()

    @given(st.lists(st.sampled_from([*BESIDE_A_FAILED_CONDITION]), min_size=1, max_size=6))
    def test_a_condition_answers_only_for_items_that_were_all_judged(self, codes: list[str]) -> None:
        found = classify_response(_cancelled(*codes))
        judged = {*codes} <= {"None", "ConditionalCheckFailed"}
        assert (found is None) == (judged and "ConditionalCheckFailed" in codes)
        without = [code if code != "ConditionalCheckFailed" else "None" for code in codes]
        assert found in {None, classify_response(_cancelled(*without))}

    @pytest.mark.parametrize(("code", "category"), EXPECTED_REASONS.items())
    def test_each_reason(self, code: str, category: ErrorCategory) -> None:
        assert classify_response(_cancelled("None", code)) is category
        assert classify_response(_cancelled(code, "None")) is category

    @given(st.lists(st.sampled_from([*EXPECTED_REASONS]), min_size=1, max_size=5).flatmap(st.permutations))
    def test_the_heaviest_of_several_decides_whatever_their_order(self, codes: list[str]) -> None:
        found = {EXPECTED_REASONS[code] for code in codes}
        assert classify_response(_cancelled(*codes)) is next(each for each in HEAVIEST_FIRST if each in found)

    @pytest.mark.parametrize("reasons", [[], [{"Code": "None"}], [{}], [None], [{"Code": None}]])
    def test_one_without_a_reason_is_the_services_trouble(self, reasons: list[Any]) -> None:
        assert classify_response(_error("TransactionCanceledException", 400) | {"CancellationReasons": reasons}) is (
            C.DYNAMODB
        )

    def test_not_even_a_list_of_reasons(self) -> None:
        assert classify_response(_error("TransactionCanceledException", 400)) is C.DYNAMODB

    def test_an_unknown_reason_goes_to_a_person(self) -> None:
        assert classify_response(_cancelled("SomethingNew")) is C.CONFIGURATION


def _error(code: str, status: int, message: Any = "") -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}


def _cancelled(*codes: str) -> dict[str, Any]:
    reasons = [{"Code": code} for code in codes]
    return _error("TransactionCanceledException", 400) | {"CancellationReasons": reasons}


def _names(text: str) -> Iterable[str]:
    return text.split()


EXPECTED_EXCEPTIONS = {
    C.NETWORK: _names(
        """ConnectionError EndpointConnectionError ConnectTimeoutError ReadTimeoutError ConnectionClosedError
        HTTPClientError ProxyConnectionError SSLError IncompleteReadError ResponseStreamingError"""
    ),
    C.ACCESS_DENIED: _names(
        """NoCredentialsError PartialCredentialsError CredentialRetrievalError MetadataRetrievalError
        TokenRetrievalError NoAuthTokenError SSOError SSOTokenLoadError UnauthorizedSSOTokenError LoginError
        LoginAuthorizationCodeError LoginInsufficientPermissions LoginRefreshRequired LoginTokenLoadError
        InfiniteLoopConfigError RefreshWithMFAUnsupportedError UnknownCredentialError UnknownTokenProviderError"""
    ),
    C.CONFIGURATION: _names(
        """NoRegionError InvalidRegionError EndpointProviderError EndpointResolutionError
        UnknownEndpointResolutionBuiltInName"""
    ),
    # Of botocore's own doing, or of services that are not called here: they show a defect of ours.
    C.INTERNAL: _names(
        """AliasConflictParameterError ApiVersionNotFoundError AwsChunkedWrapperError BaseEndpointResolverError
        BotoCoreError CapacityNotAvailableError ChecksumError ClientError ConfigNotFound ConfigParseError
        DataNotFoundError EndpointVariantError EventStreamError FlexibleChecksumError InvalidChecksumConfigError
        InvalidConfigError InvalidDNSNameError InvalidDefaultsMode InvalidEndpointConfigurationError
        InvalidEndpointDiscoveryConfigurationError InvalidExpressionError InvalidHostLabelError
        InvalidIMDSEndpointError InvalidIMDSEndpointModeError InvalidMaxRetryAttemptsError
        InvalidProxiesConfigError InvalidRetryConfigurationError InvalidRetryModeError
        InvalidS3AddressingStyleError InvalidS3UsEast1RegionalEndpointConfigError
        InvalidSTSRegionalEndpointsConfigError MD5UnavailableError MissingDependencyException
        MissingParametersError MissingServiceIdError OperationNotPageableError PaginationError
        ParamValidationError ProfileNotFound RangeError ServiceNotInRegionError StubAssertionError
        StubResponseError UnStubbedResponseError UndefinedModelAttributeError UnknownClientMethodError
        UnknownEndpointError UnknownFIPSEndpointError UnknownKeyError UnknownParameterError UnknownRegionError
        UnknownServiceError UnknownServiceStyle UnknownSignatureVersionError UnseekableStreamError
        UnsupportedOutpostResourceError UnsupportedS3AccesspointConfigurationError UnsupportedS3ArnError
        UnsupportedS3ConfigurationError UnsupportedS3ControlArnError UnsupportedS3ControlConfigurationError
        UnsupportedServiceProtocolsError UnsupportedSignatureVersionError ValidationError WaiterConfigError
        WaiterError"""
    ),
}


def _while_asking_for_credentials(error: Exception) -> ErrorCategory:
    def refresh() -> dict[str, Any]:
        raise error

    credentials: Any = RefreshableCredentials("key", "secret", "token", LONG_AGO, refresh, "custom-process")
    with pytest.raises(type(error)) as caught:
        credentials.get_frozen_credentials()
    return classify_exception(caught.value)


def _of_a_container_endpoint(send: Callable[[], Any]) -> ErrorCategory:
    """What botocore's provider makes of a response or an exception of its transport."""
    fetcher = ContainerMetadataFetcher(session=Mock(send=lambda _: send()), sleep=lambda _: None)
    make: Any = ContainerProvider  # the type stubs name another fetcher
    provider = make({ContainerProvider.ENV_VAR_FULL: "http://127.0.0.1/"}, fetcher)
    with pytest.raises(boto.CredentialRetrievalError) as caught:
        provider.load()
    return classify_exception(caught.value)


def _response(status: int, body: bytes) -> AWSResponse:
    no_headers: Any = {}
    return AWSResponse("", status, no_headers, Mock(stream=lambda: [body]))


LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
PASSING = {C.NETWORK, C.THROTTLING, C.DYNAMODB}


class TestCredentials:
    """What goes wrong while credentials are asked for."""

    @pytest.mark.parametrize(
        ("name", "category"), [(name, category) for category, names in EXPECTED_EXCEPTIONS.items() for name in names]
    )
    def test_every_exception_of_botocore(self, name: str, category: ErrorCategory) -> None:
        kind: type[Exception] = getattr(boto, name)
        error = kind.__new__(kind)
        if isinstance(error, boto.ClientError):
            error.response = {}
        assert _while_asking_for_credentials(error) is (category if category in PASSING else C.ACCESS_DENIED)

    @pytest.mark.parametrize(
        "error", [OSError(), KeyError("Token"), ValueError(), EOFError(), RuntimeError(), TypeError()]
    )
    def test_what_has_no_class_of_botocores(self, error: Exception) -> None:
        assert _while_asking_for_credentials(error) is C.ACCESS_DENIED

    @given(st.sampled_from(sorted(CATEGORY_BY_CODE)) | any_text, st.integers(300, 599))
    def test_every_code(self, code: str, status: int) -> None:
        response: Any = _error(code, status)
        category = _while_asking_for_credentials(boto.ClientError(response, "AssumeRole"))
        known = classify_code(code, status)
        assert category is (known if known in PASSING else C.ACCESS_DENIED)

    def test_credentials_that_come_back_expired(self) -> None:
        past = {"access_key": "a", "secret_key": "b", "token": "c", "expiry_time": "2001-01-01T00:00:00Z"}
        credentials: Any = RefreshableCredentials("key", "secret", "token", LONG_AGO, lambda: past, "env")
        with pytest.raises(RuntimeError) as caught:
            credentials.get_frozen_credentials()
        assert classify_exception(caught.value) is C.ACCESS_DENIED
        assert exception_code(caught.value) == "ExpiredCredentials"

    @pytest.mark.parametrize(
        ("status", "category"),
        [(403, C.ACCESS_DENIED), (404, C.ACCESS_DENIED), (408, C.NETWORK), (429, C.THROTTLING), (503, C.DYNAMODB)],
    )
    def test_a_container_endpoint_that_responds_with(self, status: int, category: ErrorCategory) -> None:
        assert _of_a_container_endpoint(lambda: _response(status, b"500")) is category

    @pytest.mark.parametrize("kind", RETRYABLE_HTTP_ERRORS)
    def test_a_container_endpoint_that_is_not_reached(self, kind: Any) -> None:
        def send() -> NoReturn:
            raise kind(endpoint_url="", error="", request=None)

        assert _of_a_container_endpoint(send) is C.NETWORK

    def test_a_container_endpoint_that_responds_with_no_json(self) -> None:
        assert _of_a_container_endpoint(lambda: _response(200, b"<")) is C.ACCESS_DENIED

    def test_elsewhere_they_are_defects(self) -> None:
        for error in (RuntimeError(), OSError(), KeyError()):
            assert classify_exception(error) is C.INTERNAL
            assert exception_code(error) == type(error).__name__


class TestExceptions:
    """What botocore raises instead of a reply."""

    def test_every_exception_of_botocore_has_been_looked_at(self) -> None:
        exported = {
            name
            for name, kind in vars(boto).items()
            if inspect.isclass(kind) and issubclass(kind, Exception) and not issubclass(kind, Warning)
        }
        assert exported == {name for names in EXPECTED_EXCEPTIONS.values() for name in names}

    @pytest.mark.parametrize(
        ("name", "category"), [(name, category) for category, names in EXPECTED_EXCEPTIONS.items() for name in names]
    )
    def test_each(self, name: str, category: ErrorCategory) -> None:
        kind: type[Exception] = getattr(boto, name)
        error = kind.__new__(kind)  # each has arguments of its own, and none of them matters
        if isinstance(error, boto.ClientError):
            error.response = {}
        assert classify_exception(error) is category

    @pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), OSError("x"), TimeoutError(), RuntimeError()])
    def test_what_is_not_botocores_is_a_defect(self, error: Exception) -> None:
        assert classify_exception(error) is C.INTERNAL

    def test_a_call_that_botocore_makes_for_credentials(self) -> None:
        error = boto.ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRoleWithWebIdentity")
        assert classify_exception(error) is C.ACCESS_DENIED
