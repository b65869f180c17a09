"""Read a bucket that speaks S3: list what is below a prefix, and open ranges of objects of one version."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from tilebox_celery.errors import ArgumentError, AuthenticationError, NotFoundError, StorageError
from tilebox_celery.storage.names import safe_path
from tilebox_celery.storage.per_process import PerProcess
from tilebox_celery.storage.remote import ARRIVING_BYTES, Body, Changed, Interrupted, RemoteFile, shutdown_of
from tilebox_celery.storage.retrying import retry_after
from tilebox_celery.storage.sessions import TIMEOUT

_MD5 = re.compile(r"[0-9a-f]{32}")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_REPLACED = (412, 416)
"""Status of an object that is not the one that was listed."""


@dataclass(frozen=True)
class Bucket:
    """Where the objects are, and who asks for them."""

    provider: str
    """For people."""
    name: str
    endpoint: str | None
    """None is AWS, which tells where a bucket is."""
    region: str
    access_key: str | None = field(default=None, repr=False)
    """None asks without a login."""
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    """Of keys that last for some hours."""
    requester_pays: bool = False
    login_hint: str = ""
    """What to do if the login is refused."""


class S3Source:
    """One bucket; retries are the engine's, since only it knows what has arrived."""

    def __init__(self, bucket: Bucket, connections: int) -> None:
        """Name the bucket; nothing is asked of it before the first use."""
        self._bucket = bucket
        self._paid = {"RequestPayer": "requester"} if bucket.requester_pays else {}
        self._client = PerProcess(lambda: _make_client(bucket, connections))

    def list_files(self, key: str) -> list[RemoteFile]:
        """Return the objects below a key, or the object that has this very key.

        Raises:
            NotFoundError: There is none.
            Interrupted: Another attempt may succeed.
            TileboxCeleryError: It may not.
        """
        prefix = key.rstrip("/") + "/"  # without the slash X.SAFE_OTHER would be part of X.SAFE
        with self._translated(key):
            found = self._below(prefix)
        if not found:
            return [self.look(key)]
        files = [
            _remote_file(each["Key"].removeprefix(prefix), each) for each in found if not each["Key"].endswith("/")
        ]
        return _without_markers(files, key, self._bucket.provider)

    @property
    def bucket_name(self) -> str:
        """The name of the bucket."""
        return self._bucket.name

    def list_page(self, prefix: str, delimiter: str, token: str) -> tuple[list[tuple[str, int | None]], str]:
        """Return keys with their sizes, folders without one, and the token of the next page; empty at the end.

        Args:
            prefix: Of the keys; with a slash at the end it is a folder.
            delimiter: A slash stops at the folders below it, an empty text goes through all of them.
            token: Of the page before; empty for the first one.

        Raises:
            Interrupted: Another attempt may succeed.
            TileboxCeleryError: It may not.
        """
        request = {"ContinuationToken": token} if token else {}
        with self._translated(prefix):
            page = self._client.get().list_objects_v2(
                Bucket=self._bucket.name, Prefix=prefix, Delimiter=delimiter, **request, **self._paid
            )
            if "Name" not in page:
                raise self._strange(prefix)
        folders: list[tuple[str, int | None]] = [(each["Prefix"], None) for each in page.get("CommonPrefixes", [])]
        files = [(each["Key"], each["Size"]) for each in page.get("Contents", [])]
        return sorted([*folders, *files]), page.get("NextContinuationToken", "")

    def read(self, key: str) -> bytes:
        """Return a small object.

        Raises:
            Interrupted: Another attempt may succeed.
            TileboxCeleryError: It may not.
        """
        with self._translated(key):
            body: bytes = self._client.get().get_object(Bucket=self._bucket.name, Key=key, **self._paid)["Body"].read()
            return body

    def look(self, key: str) -> RemoteFile:
        """Return what is announced of one object; raises as `list_files` does."""
        with self._translated(key):
            head = self._client.get().head_object(Bucket=self._bucket.name, Key=key, **self._paid)
            if "ETag" not in head:
                raise self._strange(key)
        return _remote_file("", {**head, "Key": key, "Size": head["ContentLength"]})

    def _below(self, prefix: str) -> list[dict[str, Any]]:
        """Return the entries of a listing; a page that answers everything with 200 is none."""
        pages = (
            self._client.get()
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self._bucket.name, Prefix=prefix, **self._paid)
        )
        found = []
        try:
            for page in pages:
                entries = page.get("Contents", [])
                if "Name" not in page or any(
                    not each["Key"].startswith(prefix) or each["Size"] < 0 for each in entries
                ):
                    raise self._strange(prefix)
                found += entries
        except (ValueError, KeyError) as error:  # a number that is none, or is not there
            raise self._strange(prefix) from error
        return found

    @contextmanager
    def open(self, file: RemoteFile, start: int, end: int | None, version: str | None) -> Iterator[Body]:
        """Open a range of an object; see `Source`."""
        with self._translated(file.key, _REPLACED):
            request = {**self._paid, **({"IfMatch": version} if version else {})}
            if start or end != file.size:
                request["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
            answer = self._client.get().get_object(Bucket=self._bucket.name, Key=file.key, **request)
            stream = answer["Body"]
            try:
                if "ETag" not in answer:
                    raise self._strange(file.key)
                match = _RANGE.fullmatch(answer.get("ContentRange", ""))
                begin, size = (int(match[1]), int(match[2])) if match else (0, answer["ContentLength"])
                abort = shutdown_of(getattr(stream, "_raw_stream", None))
                yield Body(begin, size, answer["ETag"], stream.iter_chunks(ARRIVING_BYTES), abort)
            finally:
                stream.close()

    @contextmanager
    def _translated(self, key: str, replaced: tuple[int, ...] = ()) -> Iterator[None]:
        from botocore import exceptions as botocore
        from botocore.parsers import ResponseParserError
        from urllib3.exceptions import HTTPError

        provider = self._bucket.provider
        try:
            yield
        except botocore.ClientError as error:
            raise self._refusal(error.response, key, replaced) from error
        except ResponseParserError as error:
            raise self._strange(key) from error
        except (
            botocore.ConnectionError,
            botocore.HTTPClientError,
            botocore.ResponseStreamingError,
            botocore.IncompleteReadError,
            HTTPError,
        ) as error:
            raise Interrupted(
                f"the connection to {self._bucket.endpoint or 'AWS'} failed ({type(error).__name__})"
            ) from error
        except botocore.BotoCoreError as error:
            raise StorageError(f"{provider} cannot be asked for '{key}': {error}") from error

    def _strange(self, key: str) -> StorageError:
        return StorageError(f"{self._bucket.provider} sent something else than an S3 answer about '{key}'.")

    def _refusal(self, answer: dict[str, Any], key: str, replaced: tuple[int, ...]) -> Exception:
        status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = answer.get("Error", {}).get("Code", "")
        provider = self._bucket.provider
        if status in (408, 429) or status >= 500 or code in ("SlowDown", "RequestTimeout"):
            pause = retry_after(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}))
            return Interrupted(f"{provider} answers {status} {code}", pause)
        if status in replaced:
            return Changed("it was replaced at the provider meanwhile")
        if status in (401, 403):
            return AuthenticationError(f"{provider} refuses access to '{key}' ({code}).{self._bucket.login_hint}")
        if status == 404:
            return NotFoundError(f"{provider} has no '{key}'; the product may have expired or been taken offline.")
        return StorageError(f"{provider} answers {status} {code} to the request for '{key}'.")


def _make_client(bucket: Bucket, connections: int) -> Any:
    try:
        from botocore import UNSIGNED
        from botocore.config import Config

        session, making = _SESSION.get()
    except ImportError as error:
        raise StorageError(f"{bucket.provider} needs boto3: pip install 'tilebox-celery[storage]'.") from error
    config = Config(
        signature_version=UNSIGNED if bucket.access_key is None else "s3v4",
        s3={"addressing_style": "path"},
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=TIMEOUT[0],
        read_timeout=TIMEOUT[1],
        max_pool_connections=connections,
        response_checksum_validation="when_required",  # the engine verifies what is on the disk instead
    )
    try:
        with making:
            return session.client(
                "s3",
                endpoint_url=bucket.endpoint,
                region_name=bucket.region,
                aws_access_key_id=bucket.access_key,
                aws_secret_access_key=bucket.secret_access_key,
                aws_session_token=bucket.session_token,
                config=config,
            )
    except ValueError as error:
        raise ArgumentError(f"The endpoint_url {bucket.endpoint!r} of {bucket.provider} is no URL.") from error


def _make_session() -> tuple[Any, Lock]:
    import boto3

    return boto3.session.Session(), Lock()  # its clients are safe between threads, making them is not


_SESSION = PerProcess(_make_session)
"""Shared by all clients, since each session reads the description of S3 anew, which takes 0.1 s."""


def _remote_file(name: str, found: dict[str, Any]) -> RemoteFile:
    version = found.get("ETag")
    checksum = (version or "").strip('"').lower()
    is_md5 = _MD5.fullmatch(checksum) and not str(found.get("ServerSideEncryption", "")).startswith("aws:kms")
    md5 = checksum if is_md5 else None  # that of several parts ends in -N and is none
    return RemoteFile(name, found["Key"], found["Size"], version, md5)


def _without_markers(files: list[RemoteFile], key: str, provider: str) -> list[RemoteFile]:
    """Drop the empty objects that stand for folders, and refuse names that no folder can hold."""
    names = [safe_path(file.name, f"An object of {provider} below '{key}'") for file in files]
    folders = {str(parent) for name in names for parent in name.parents}
    kept = [file for file in files if not (file.size == 0 and file.name in folders)]
    clash = next((file.name for file in kept if file.name in folders), None)
    if clash is not None:
        raise StorageError(f"'{clash}' below '{key}' is an object and a folder at once, which cannot be stored.")
    if not kept:
        raise NotFoundError(
            f"{provider} has nothing below '{key}'; the product may have expired or been taken offline."
        )
    return kept
