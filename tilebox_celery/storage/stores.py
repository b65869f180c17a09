"""Which store has the file at an href: a folder, a bucket or the web; each is made once."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from tilebox_celery.errors import ArgumentError
from tilebox_celery.storage.http import HttpSource
from tilebox_celery.storage.local import FileSource, local_file
from tilebox_celery.storage.names import safe_path
from tilebox_celery.storage.remote import RemoteFile, Source
from tilebox_celery.storage.s3 import Bucket, S3Source
from tilebox_celery.storage.transfer import Connections
from tilebox_celery.storage.web import WebSession, is_private


@dataclass(frozen=True)
class Login:
    """Keys of an S3 account; what is missing is looked for in the environment where a login is needed."""

    access_key: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)

    def complete(self, bucket: str) -> "Login":
        """Return a login with all that it needs.

        Raises:
            ArgumentError: There is none; the sentence names the variable.
        """
        key = self.access_key or os.environ.get("AWS_ACCESS_KEY_ID")
        secret = self.secret_access_key or os.environ.get("AWS_SECRET_ACCESS_KEY")
        if not key:
            raise ArgumentError(f"the bucket {bucket} needs a login: pass access_key= or set AWS_ACCESS_KEY_ID")
        if not secret:
            raise ArgumentError(
                f"the bucket {bucket} needs a login: pass secret_access_key= or set AWS_SECRET_ACCESS_KEY"
            )
        token = self.session_token or (None if self.access_key else os.environ.get("AWS_SESSION_TOKEN"))
        return Login(key, secret, token)


@dataclass(frozen=True)
class Store:
    """Has files by their paths."""

    name: str
    source: Source = field(repr=False)
    connections: Connections = field(repr=False)
    look: Callable[[str], RemoteFile] = field(repr=False)
    """Returns what is announced of a path."""


class Stores:
    """Finds the store of an href.

    Args:
        local_root: Folder below which hrefs may name files; None refuses all of them.
        login: For buckets that want one.
        endpoint_url: Of the S3 service in place of AWS.
        region: Of buckets that do not say theirs.
        s3: How to talk to buckets.
        web: How to talk to web servers.
    """

    def __init__(
        self,
        local_root: Path | None,
        login: Login,
        endpoint_url: str | None,
        region: str,
        s3: Connections,
        web: Connections,
    ) -> None:
        self._root, self._login, self._endpoint, self._region = local_root, login, endpoint_url, region
        self._s3, self._web = s3, web
        self._made: dict[object, Store] = {}
        self._lock = Lock()

    def find(self, href: str, storage: Any | None, authentication: Any | None) -> tuple[Store, str]:
        """Return the store and the path in it; nothing is asked of it.

        Raises:
            TileboxCeleryError: It cannot be read; the sentence may follow the href.
        """
        scheme = scheme_of(href)
        if scheme == "file":
            return self._folder(href)
        if scheme == "s3":
            return self._bucket(href, storage, authentication)
        if scheme in ("http", "https"):
            return self._site(href, authentication)
        raise ArgumentError(f"{scheme}:// is not supported")

    def _folder(self, href: str) -> tuple[Store, str]:
        if self._root is None:
            raise ArgumentError("local files are read below local_root= only, and this client has none")
        root = self._root.absolute()
        text = unquote(urlsplit(href).path) if href.startswith("file:") else href
        path = safe_path(text.removeprefix(f"{root}/"), "The href of the asset")
        made = self._once(
            root, lambda: Store(str(root), FileSource(root), self._web, lambda key: local_file(root, key))
        )
        return made, str(path)

    def _site(self, href: str, authentication: Any | None) -> tuple[Store, str]:
        parts = urlsplit(href)
        if not parts.hostname:
            raise ArgumentError("the URL has no host")
        if authentication is not None:
            raise ArgumentError(f"a login of the kind {authentication.type!r} is not supported")
        source = self._once("web", lambda: Store("web", HttpSource(WebSession().get), self._web, _unseen))
        return source, href

    def _bucket(self, href: str, storage: Any | None, authentication: Any | None) -> tuple[Store, str]:
        bucket, _, key = href[len("s3://") :].partition("/")
        if not bucket or not key:
            raise ArgumentError("an S3 location has the form s3://bucket/key")
        if authentication is not None and authentication.type != "s3":
            raise ArgumentError(f"a login of the kind {authentication.type!r} is not supported")
        pays = bool(storage and storage.requester_pays)
        login = self._login
        if pays or authentication is not None or login.access_key:
            login = login.complete(bucket)
        place = Bucket(
            provider=f"The bucket {bucket}",
            name=bucket,
            endpoint=self._endpoint or _endpoint(storage),
            region=(storage.region if storage else None) or self._region,
            access_key=login.access_key,
            secret_access_key=login.secret_access_key,
            session_token=login.session_token,
            requester_pays=pays,
            login_hint=" Check the login." if login.access_key else " It was asked without a login.",
        )
        return self._once(place, lambda: _s3_store(place, self._s3)), key

    def _once(self, key: object, make: Callable[[], Store]) -> Store:
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]


def scheme_of(href: str) -> str:
    """Return the scheme of an href; a path is a file.

    Example:
        >>> scheme_of("S3://bucket/key"), scheme_of("/data/B04.tif")
        ('s3', 'file')
    """
    return href.partition("://")[0].lower() if "://" in href else "file"


def only(schemes: Mapping[str, Any], kind: str) -> Any | None:
    """Return the one scheme that applies to a location, None where nothing is said.

    Raises:
        ArgumentError: There are several.
    """
    if len(schemes) > 1:
        raise ArgumentError(f"several {kind} schemes apply to it: {', '.join(schemes)}")
    return next(iter(schemes.values()), None)


def _s3_store(place: Bucket, connections: Connections) -> Store:
    source = S3Source(place, connections.limit)
    return Store(f"s3://{place.name}", source, connections, source.look)


def _endpoint(storage: Any | None) -> str | None:
    """Return the address of the service that a scheme names, None for AWS."""
    platform = (storage.platform if storage else None) or "AWS"
    if platform.upper() == "AWS" or storage is None or storage.type == "aws-s3":
        return None
    parts = urlsplit(platform)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_private(parts.hostname))
    if not is_safe or "{" in platform:
        raise ArgumentError(f"the storage platform {platform!r} is not supported")
    return str(platform)


def _unseen(url: str) -> RemoteFile:
    """A web server announces a file with the answer that brings it."""
    return RemoteFile("", url)
