"""Talk to hosts behind NASA's Earthdata Login: the password goes to the login host, and to no other."""

import logging
import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from tilebox_celery.errors import AuthenticationError, StorageError
from tilebox_celery.storage.per_process import PerProcess
from tilebox_celery.storage.remote import Interrupted

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

MAX_REDIRECTS = 10
TIMEOUT = (10, 60)
_REDIRECTS = (301, 302, 303, 307, 308)
_SECRET_QUERY = re.compile(
    r"([?&](?:code|state|[\w-]*(?:signature|token|credential|key-pair-id|policy)[\w-]*)=)[^&\s]*", re.IGNORECASE
)
Origin = tuple[str, str | None, int | None]


@dataclass(frozen=True)
class Login:
    """A user of Earthdata, and where alone the password may go."""

    user: str
    password: str = field(repr=False)
    url: str = "https://urs.earthdata.nasa.gov"
    trusted: tuple[str, ...] = ()
    """Host names, or suffixes that begin with a dot, to which a redirect may lead; without the password."""

    def header(self) -> str:
        """Return the value of the Authorization header."""
        return "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")


class EarthdataSession:
    """Follow redirects by hand: HTTP libraries either send the password to every host or not to the one that asks."""

    def __init__(self, login: Login) -> None:
        """Name the login; nothing is sent before the first request."""
        self._login = login
        self._session = PerProcess(_make_session)

    def get(self, url: str, headers: dict[str, str]) -> "Response":
        """Open a URL and return the answer of the last host, with its body unread.

        Args:
            url: Of a host that asks for the login; its own host is trusted.
            headers: For all hosts; no credentials.

        Raises:
            AuthenticationError: The login is refused.
            Interrupted: A host cannot be reached; another attempt may succeed.
            StorageError: A redirect leads to a host that is not trusted, or there are too many.
        """
        first = _origin(urlsplit(url))
        for _ in range(MAX_REDIRECTS):
            answer = self._get_once(url, headers)
            if answer.status_code not in _REDIRECTS:
                self._check_login(url, answer)
                return answer
            answer.close()
            target = _target(url, answer.headers.get("Location", ""))
            self._check_trust(target, url, first)
            url = target
        raise StorageError(
            f"{first[1]} led through more than {MAX_REDIRECTS} redirects; the login does not come to an end."
        )

    def _get_once(self, url: str, headers: dict[str, str]) -> "Response":
        session = self._session.get()
        import requests  # after the session, which tells if it is missing

        # Each request has headers of its own: what belongs to the login host must not go on to the next one.
        mine = {**headers, "Accept-Encoding": "identity"}
        if self._is_login(url):
            mine["Authorization"] = self._login.header()
        try:
            return session.get(url, headers=mine, auth=_keep_as_is, allow_redirects=False, stream=True, timeout=TIMEOUT)
        except requests.RequestException as error:
            # Not chained: the URL in the message of the cause may be signed.
            raise Interrupted(f"{urlsplit(url).hostname} cannot be reached ({type(error).__name__})") from None
        except ValueError:  # requests looks at a Location even where it shall not follow it
            raise _no_address(url) from None

    def _is_login(self, url: str) -> bool:
        return _origin(urlsplit(url)) == _origin(urlsplit(self._login.url))

    def _check_login(self, url: str, answer: "Response") -> None:
        if answer.status_code not in (401, 403):
            return
        host = urlsplit(url).hostname
        answer.close()
        if self._is_login(url):
            raise AuthenticationError(
                f"Earthdata Login ({host}) refuses the login of '{self._login.user}': check user and password, or "
                "EARTHDATA_USERNAME and EARTHDATA_PASSWORD."
            )
        raise AuthenticationError(
            f"{host} refuses access to '{self._login.user}', whom Earthdata Login knows: accept the EULA of ASF and "
            "fill in the study area in the Earthdata profile."
        )

    def _check_trust(self, target: str, source: str, first: Origin) -> None:
        there, login = urlsplit(target), urlsplit(self._login.url)
        if _origin(there) in (first, _origin(login)):
            return
        host = there.hostname or ""
        if not any(host == each or (each.startswith(".") and host.endswith(each)) for each in self._login.trusted):
            raise StorageError(
                f"{urlsplit(source).hostname} leads to the host '{host}', which is not trusted; refused."
            )
        if login.scheme == "https" and there.scheme != "https":
            raise StorageError(f"{urlsplit(source).hostname} leads to an unencrypted address of '{host}'; refused.")


def _target(source: str, location: str) -> str:
    """Return where a redirect leads, spelled as it will be asked for: no two parsers may see different hosts in it."""
    import requests

    try:
        target = requests.Request("GET", urljoin(source, location)).prepare().url or ""
        parts = urlsplit(target)
        if not location or parts.scheme not in ("http", "https") or not _origin(parts)[1]:
            raise ValueError
    except ValueError:  # also the errors of requests for an address that is none
        raise _no_address(source) from None
    return target


def _no_address(source: str) -> StorageError:
    return StorageError(f"{urlsplit(source).hostname} leads to no address; refused.")


def _origin(parts: SplitResult) -> Origin:
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _keep_as_is(request: "PreparedRequest") -> "PreparedRequest":
    """Stand for the auth of a request, or requests would look into ~/.netrc for one."""
    return request


def _make_session() -> "Session":
    try:
        import requests
    except ImportError as error:
        raise StorageError("The ASF client needs requests: pip install 'tilebox-celery[storage]'.") from error
    connections = logging.getLogger("urllib3.connectionpool")
    if not any(isinstance(each, _WithoutSecrets) for each in connections.filters):
        connections.addFilter(_WithoutSecrets())
    return requests.Session()


class _WithoutSecrets(logging.Filter):
    """urllib3 logs the path of each request at debug, with the signature or the code in its query."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_redacted(each) for each in record.args)
        return True


def _redacted(value: Any) -> Any:
    return _SECRET_QUERY.sub(r"\1***", value) if isinstance(value, str) else value
