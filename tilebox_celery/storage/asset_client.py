"""The client of single assets: finds where a file can be had, and reads or downloads it."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from threading import Event

from tilebox_celery.errors import ArgumentError, ProductDamaged, TileboxCeleryError
from tilebox_celery.storage.asset_access import Asset, AssetAccessPolicy, Location, ResolvedAsset
from tilebox_celery.storage.client import STOPPED_BY, PathLike
from tilebox_celery.storage.engine import Engine
from tilebox_celery.storage.pickling import PickledByArguments
from tilebox_celery.storage.reading import Stream, stream
from tilebox_celery.storage.remote import Product, RemoteFile
from tilebox_celery.storage.retrying import Halt, RetryPolicy, with_retries
from tilebox_celery.storage.shelf import Shelf
from tilebox_celery.storage.stores import Login, Stores, only, scheme_of
from tilebox_celery.storage.threads import in_thread
from tilebox_celery.storage.transfer import Connections

_MD5_MULTIHASH = re.compile(r"d50110([0-9a-f]{32})", re.IGNORECASE)


class Client(PickledByArguments):
    """Read and download the assets of datapoints from buckets, web servers and a folder.

    Each method but `resolve` runs in a thread, so that several overlap. An asset has the size and the MD5 checksum
    that it announces, or it is refused; a page of a web server in place of a file is, too.

    Example:
        >>> Client(local_root="archive")
        Client(local_root='archive')
    """

    def __init__(
        self,
        *,
        policy: AssetAccessPolicy | None = None,
        local_root: PathLike | None = None,
        access_key: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        s3_endpoint_url: str | None = None,
        region: str = "us-west-2",
        max_concurrent: int = 8,
        retry: RetryPolicy | None = None,
    ) -> None:
        """Make a client; nothing is asked of anybody.

        Args:
            policy: Which of several locations is taken.
            local_root: Folder below which assets may name files, absolute or relative to it. Hrefs are data of others:
                without it, and outside of it, local files are refused.
            access_key: S3 key for all buckets. Without it, ``AWS_ACCESS_KEY_ID`` is used for those buckets whose
                schemes say that the requester pays or has to log in; all others are asked without a login.
            secret_access_key: Its secret; else ``AWS_SECRET_ACCESS_KEY``.
            session_token: Of keys that expire; else ``AWS_SESSION_TOKEN``.
            s3_endpoint_url: Of the S3 service in place of AWS, or of what schemes say.
            region: Of buckets whose schemes say none.
            max_concurrent: Downloads and whole reads at the same time, from buckets and from the web each.
            retry: How often to try again.
        """
        self.policy = policy or AssetAccessPolicy()
        self.local_root = None if local_root is None else Path(local_root).expanduser()
        retry = retry or RetryPolicy()
        self._stores = Stores(
            self.local_root,
            Login(access_key, secret_access_key, session_token),
            s3_endpoint_url,
            region,
            Connections(max_concurrent, retry),
            Connections(max_concurrent, retry, segment_bytes=None),
        )

    def resolve(self, asset: Asset) -> ResolvedAsset:
        """Return the location that is taken; nothing is asked of anybody.

        Args:
            asset: Of an `AssetCollection`.

        Raises:
            ArgumentError: No location can be read; the sentence has the reason for each.
        """
        order = {scheme: place for place, scheme in enumerate(self.policy.preferred_schemes)}
        locations = [("primary", asset.primary), *asset.alternates.items()]
        locations.sort(key=lambda each: order.get(scheme_of(each[1].href), len(order)))
        reasons = []
        for name, location in locations:
            try:
                return self._resolved(asset, location)
            except TileboxCeleryError as error:
                href = location.href.partition("?")[0]
                reasons.append(f"{name} ({href}): {str(error).removesuffix('.')}")
        raise ArgumentError(f"No location of the asset {asset.key!r} can be read: {'; '.join(reasons)}.")

    async def read_bytes(self, asset: Asset, *, max_bytes: int | None = None) -> bytes:
        """Return all bytes of an asset.

        Args:
            asset: Of an `AssetCollection`.
            max_bytes: A larger asset is refused before it is read, if its size is known.

        Raises:
            ArgumentError: It cannot be resolved, or is larger.
            NotFoundError: It is not there.
            AuthenticationError: The login is refused, or one is missing.
            StorageError: It cannot be read, or is not what was announced.
        """
        resolved = self.resolve(asset)

        def read() -> bytes:
            halt = Halt(STOPPED_BY.get())
            file = _announced(resolved, halt)
            with resolved.store.connections.slot(halt):
                return b"".join(stream(resolved.store, file, halt, max_bytes))

        return await in_thread(read)

    async def iter_bytes(self, asset: Asset) -> AsyncIterator[bytes]:
        """Yield the bytes of an asset as they come, in parts of at most 1 MiB; errors are those of `read_bytes`.

        A file that turns out not to be what was announced ends with an error, after its last bytes were handed out.
        """
        resolved, stopped = self.resolve(asset), Event()
        halt = Halt(stopped)
        file = await in_thread(lambda: _announced(resolved, halt))
        chunks = Stream(stream(resolved.store, file, halt), stopped)
        try:
            while (chunk := await asyncio.to_thread(chunks.next)) is not None:
                yield chunk
        finally:
            await asyncio.to_thread(chunks.close)

    async def download(self, asset: Asset, destination: PathLike, *, overwrite: bool = False) -> Path:
        """Download an asset to a file, which is there whole or not at all.

        An interrupted download of the same href goes on where it ended; until then ``.tilebox`` is beside the file.

        Args:
            asset: Of an `AssetCollection`.
            destination: The file; folders above it are made.
            overwrite: Whether to exchange a file that is there.

        Returns:
            The destination.

        Raises:
            FileExistsError: The file is there.
            TileboxCeleryError: As for `read_bytes`; or the file cannot be stored.
        """
        path = Path(destination).expanduser()
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} is there already: pass overwrite=True to exchange it.")
        resolved = self.resolve(asset)

        def bring() -> Path:
            halt = Halt(STOPPED_BY.get())
            product = Product(path.name, PurePosixPath(path.name), lambda: [_announced(resolved, halt, once=True)])
            shelf = Shelf(path.parent, "assets", keeps_records=False, origin=resolved.href)
            engine = Engine(resolved.store.source, resolved.store.connections)
            return engine.fetch(product, shelf, halt, shown=False, replaces=overwrite)

        return await in_thread(bring)

    def _resolved(self, asset: Asset, location: Location) -> ResolvedAsset:
        storage = only(location.storage_schemes, "storage")
        authentication = only(location.authentication_schemes, "authentication")
        store, path = self._stores.find(location.href, storage, authentication)
        return ResolvedAsset(asset, location, location.href, store, path, storage, authentication)

    def __repr__(self) -> str:
        """Return what may be seen: no credentials."""
        return f"Client(local_root={None if self.local_root is None else str(self.local_root)!r})"


def _announced(resolved: ResolvedAsset, halt: Halt, *, once: bool = False) -> RemoteFile:
    """Return what the store and the catalog say of a file, which must not be different things."""
    store, known = resolved.store, resolved.asset.file
    if once:  # who asks repeats it
        found = store.look(resolved.path)
    else:
        with store.connections.slot(halt):
            what = f"The request for {resolved.path}"
            found = with_retries(lambda: store.look(resolved.path), store.connections.retry, halt, what)
    size, checksum = (known.size, known.checksum) if known else (None, None)
    if None not in (size, found.size) and size != found.size:
        raise ProductDamaged(f"The asset {resolved.asset.key!r} has {found.size} bytes, but {size} were announced.")
    md5 = _MD5_MULTIHASH.fullmatch(checksum or "")
    return replace(
        found,
        size=size if found.size is None else found.size,
        md5=md5[1].lower() if md5 else found.md5,
        media_type=resolved.asset.media_type,
    )
