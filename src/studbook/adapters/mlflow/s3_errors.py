"""What the client of S3 raises through MLflow's repository, in our words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ...domain.errors import TrackingDenied, TrackingError, TrackingRefused, TrackingUnavailable

_DENIED_STATUS = frozenset({401, 403})
_PASSING_STATUS = frozenset({408, 429})
_LONGEST = 200


@contextmanager
def s3_translated() -> Iterator[None]:
    """Raise an error of S3's client as one of the TrackingError tree; `details["code"]` is S3's error code, or
    NO_CLIENT where MLflow finds none installed.
    """
    try:
        yield
    except ImportError as error:
        raise TrackingUnavailable(
            f"the place of these artifacts needs the package {error.name}, which is not installed",
            cure=f"install it where studbook runs: pip install {error.name}",
            code="NO_CLIENT",
        ) from error
    except _s3_errors() as error:
        raise _translation(error) from error


def _s3_errors() -> tuple[type[Exception], ...]:
    """Nothing where no such client is in use."""
    if "boto3" not in sys.modules:
        return ()
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return (Boto3Error, BotoCoreError, ClientError)


def _translation(error: Exception) -> TrackingError:
    from botocore.exceptions import ClientError, CredentialRetrievalError, NoCredentialsError

    # An upload that failed is told by an error of its own, around the service's answer.
    cause = error if isinstance(error, ClientError) else error.__cause__ or error.__context__
    if isinstance(cause, ClientError):
        return _answered(cause.response)
    said = str(error)[:_LONGEST]
    if isinstance(error, NoCredentialsError | CredentialRetrievalError):
        return _denied(said, code=type(error).__name__)
    return TrackingUnavailable(
        f"the artifact bucket cannot be reached: {said}",
        cure="repeat later; check MLFLOW_S3_ENDPOINT_URL, where the bucket is not AWS's own",
        code=type(error).__name__,
    )


def _answered(response: dict[str, dict[str, object]]) -> TrackingError:
    status = int(str(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0))
    code = str(response.get("Error", {}).get("Code"))
    said = f"{code}: {response.get('Error', {}).get('Message')}"[:_LONGEST]
    if status in _DENIED_STATUS:
        return _denied(said, code=code, status=status)
    if 400 <= status < 500 and status not in _PASSING_STATUS:
        return TrackingRefused(
            f"the artifact bucket refuses this: {said}",
            cure="check the experiment's artifact location, and that the bucket is there",
            code=code,
            status=status,
        )
    return TrackingUnavailable(
        f"the artifact bucket cannot serve now: {said}", cure="repeat later", code=code, status=status
    )


def _denied(said: str, **details: object) -> TrackingDenied:
    return TrackingDenied(
        f"the artifact bucket refuses these credentials: {said}",
        cure="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, for whoever delivers and reads",
        **details,
    )
