"""Ask web servers for files: one request at a time, nothing added by itself, and no secrets in logs."""

import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from tilebox_celery.errors import StorageError
from tilebox_celery.storage.remote import Interrupted

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

MAX_REDIRECTS = 10
REDIRECTS = (301, 302, 303, 307, 308)
TIMEOUT = (10, 60)
"""Seconds that a host may take to be reached, and to say anything."""
_SECRET_QUERY = re.compile(
    r"([?&](?:code|state|sig|[\w-]*(?:signature|token|credential|key-pair-id|policy)[\w-]*)=)[^&\s]*", re.IGNORECASE
)
Origin = tuple[str, str | None, int | None]


def origin(parts: SplitResult) -> Origin:
    """Return scheme, host and port of a URL."""
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def make_session(who: str) -> "Session":
    """Return a session of requests.

    Raises:
        StorageError: requests is not installed; the sentence names who needs it.
    """
    try:
        import requests
    except ImportError as error:
        raise StorageError(f"{who} needs requests: pip install 'tilebox-celery[storage]'.") from error
    connections = logging.getLogger("urllib3.connectionpool")
    if not any(isinstance(each, _WithoutSecrets) for each in connections.filters):
        connections.addFilter(_WithoutSecrets())
    return requests.Session()


def get_once(session: "Session", url: str, headers: dict[str, str]) -> "Response":
    """Open a URL without following redirects, the body unread.

    Raises:
        Interrupted: The host cannot be reached.
        StorageError: It answers with a redirect that leads nowhere.
    """
    import requests  # after the session, which tells if it is missing

    try:
        mine = {**headers, "Accept-Encoding": "identity"}
        return session.get(url, headers=mine, auth=_keep_as_is, allow_redirects=False, stream=True, timeout=TIMEOUT)
    except requests.RequestException as error:
        # Not chained: the URL in the message of the cause may be signed.
        raise Interrupted(f"{urlsplit(url).hostname} cannot be reached ({type(error).__name__})") from None
    except ValueError:  # requests looks at a Location even where it shall not follow it
        raise _no_address(url) from None


def redirect_target(source: str, location: str) -> str:
    """Return where a redirect leads, spelled as it will be asked for: no two parsers may see different hosts in it.

    Raises:
        StorageError: It leads nowhere on the web.
    """
    import requests

    try:
        target = requests.Request("GET", urljoin(source, location)).prepare().url or ""
        parts = urlsplit(target)
        if not location or parts.scheme not in ("http", "https") or not origin(parts)[1]:
            raise ValueError
    except ValueError:  # also the errors of requests for an address that is none
        raise _no_address(source) from None
    return target


def _no_address(source: str) -> StorageError:
    return StorageError(f"{urlsplit(source).hostname} leads to no address; refused.")


def _keep_as_is(request: "PreparedRequest") -> "PreparedRequest":
    """Stand for the auth of a request, or requests would look into ~/.netrc for one."""
    return request


class _WithoutSecrets(logging.Filter):
    """urllib3 logs the path of each request at debug, with the signature or the code in its query."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_redacted(each) for each in record.args)
        return True


def _redacted(value: Any) -> Any:
    return _SECRET_QUERY.sub(r"\1***", value) if isinstance(value, str) else value
