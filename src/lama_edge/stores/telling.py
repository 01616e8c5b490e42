"""What the clients of stores mean by their errors, which share no base class."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lama_edge.errors import one_line

# "empty" is for a range of bytes that begins where the file ends.
Meaning = Literal[
    "credentials", "container", "missing", "refused", "connection", "empty", "room", "other"
]
_SHOWN_CHARACTERS = 160
# By the names of exceptions' types and by their codes, so that no client need be imported:
# of botocore, aiohttp, httpx, requests, google.auth, gcsfs, azure.core, huggingface_hub, paramiko.
_CREDENTIALS = {
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
    *("ProfileNotFound", "NoAuthTokenError", "TokenRetrievalError", "SSOTokenLoadError"),
    *("UnauthorizedSSOTokenError", "DefaultCredentialsError", "RefreshError"),
    *("ClientAuthenticationError", "CredentialUnavailableError", "AuthenticationException"),
    *("GatedRepoError", "LocalTokenNotFoundError"),
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"),
    *("TokenRefreshRequired", "RequestTimeTooSkewed", "AuthorizationHeaderMalformed"),
    *("InvalidSecurity", "InvalidClientTokenId", "AuthenticationFailed", "401"),
}
_CONTAINER = {
    *("NoSuchBucket", "InvalidBucketName", "ContainerNotFound", "AllAccessDisabled"),
    *("RepositoryNotFoundError", "RevisionNotFoundError", "BucketNotFoundError"),
}
_MISSING = {
    *("FileNotFoundError", "EntryNotFoundError", "ResourceNotFoundError"),
    *("NoSuchKey", "BlobNotFound", "404"),
}
_REFUSED = {"PermissionError", "AccessDenied", "Forbidden", "InvalidObjectState", "403"}
_CONNECTION = {
    *("ConnectionError", "TimeoutError", "timeout", "gaierror", "EOFError", "IncompleteRead"),
    *("FSTimeoutError", "HTTPClientError", "ResponseStreamingError", "IncompleteReadError"),
    *("ResponseParserError", "ClientConnectionError", "ClientPayloadError", "ProtocolError"),
    *("ServiceRequestError", "ServiceResponseError", "TransportError", "SSHException"),
    *("NoValidConnectionsError", "SSLError"),
    *("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling"),
    *("408", "429", "500", "502", "503", "504"),
}
_PLAIN = ("PermissionError", "FileNotFoundError", "ConnectionError", "TimeoutError")
_FIRST: tuple[tuple[Meaning, set[str]], ...] = (
    ("credentials", _CREDENTIALS),
    ("container", _CONTAINER),
)
_THEN: tuple[tuple[Meaning, set[str]], ...] = (
    ("connection", _CONNECTION),
    ("missing", _MISSING),
    ("refused", _REFUSED),
    ("empty", {"InvalidRange", "416"}),
)


@dataclass(frozen=True)
class Failure:
    """What an error means.

    Attributes:
        meaning: what is wrong.
        word: the name or code that says so.
        detail: the word, and the client's own on one line, without queries, which may hold
            signatures.
    """

    meaning: Meaning
    word: str
    detail: str


def failure_of(error: BaseException) -> Failure:
    """Return what an error of a store's client means."""
    chain = list(_chain(error))
    words = [_words(one) for one in chain]
    # What a server says of keys and buckets stands in a cause, behind a plain PermissionError.
    for meaning, known in _FIRST:
        for one, said in zip(chain, words, strict=True):
            for word in said:
                if word in known:
                    return Failure(meaning, word, _detail(word, one))
    for one, said in zip(chain, words, strict=True):
        if isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT):
            return Failure("room", "ENOSPC", _detail(type(one).__name__, one))
        for meaning, known in _THEN:
            if known.intersection(said):
                found = [word for each in words for word in each if word in known]
                # A code says more than the plain error that was made of it.
                word = next((one for one in found if one not in _PLAIN), found[0])
                named = type(one).__name__ if meaning == "connection" else word
                return Failure(meaning, word, _detail(named, one))
    return Failure("other", type(error).__name__, _detail(type(error).__name__, error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _words(error: BaseException) -> list[str]:
    """Return an error's codes, and the names of its type and of those above it."""
    response = getattr(error, "response", None)
    codes: list[object] = []
    if isinstance(response, dict):
        codes.append(response.get("Error", {}).get("Code"))
        codes.append(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    else:
        codes.append(getattr(response, "status_code", None))
    codes += [getattr(error, name, None) for name in ("error_code", "status_code", "status")]
    if not any(codes):  # aiohttp warns who asks its errors for this one
        codes.append(getattr(error, "code", None))
    found = [str(code) for code in codes if isinstance(code, str | int) and str(code)]
    return [*found, *(each.__name__ for each in type(error).__mro__)]


def _detail(word: str, error: BaseException) -> str:
    text = re.sub(r"\?[^\s'\"]*", "", one_line(error))
    text = re.sub(r"://[^/\s'\"]*@", "://", text)[:_SHOWN_CHARACTERS]
    return text if word in text or text == "" else f"{word}: {text}"
