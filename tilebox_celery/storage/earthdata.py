"""Talk to hosts behind NASA's Earthdata Login: the password goes to the login host, and to no other."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from tilebox_celery.errors import AuthenticationError, StorageError
from tilebox_celery.storage.per_process import PerProcess
from tilebox_celery.storage.sessions import MAX_REDIRECTS, REDIRECTS, Origin, get_once, make_session, origin

if TYPE_CHECKING:
    from requests import Response


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
        self._session = PerProcess(lambda: make_session("The ASF client"))

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
        first = origin(urlsplit(url))
        for _ in range(MAX_REDIRECTS):
            answer = self._get_once(url, headers)
            if answer.status_code not in REDIRECTS:
                self._check_login(url, answer)
                return answer
            target = urljoin(url, answer.headers.get("Location", ""))
            answer.close()
            self._check_trust(target, url, first)
            url = target
        raise StorageError(
            f"{first[1]} led through more than {MAX_REDIRECTS} redirects; the login does not come to an end."
        )

    def _get_once(self, url: str, headers: dict[str, str]) -> "Response":
        # Each request has headers of its own: what belongs to the login host must not go on to the next one.
        login = {"Authorization": self._login.header()} if self._is_login(url) else {}
        return get_once(self._session.get(), url, {**headers, **login})

    def _is_login(self, url: str) -> bool:
        return origin(urlsplit(url)) == origin(urlsplit(self._login.url))

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
        if origin(there) in (first, origin(login)):
            return
        host = there.hostname or ""
        if not any(host == each or (each.startswith(".") and host.endswith(each)) for each in self._login.trusted):
            raise StorageError(
                f"{urlsplit(source).hostname} leads to the host '{host}', which is not trusted; refused."
            )
        if login.scheme == "https" and there.scheme != "https":
            raise StorageError(f"{urlsplit(source).hostname} leads to an unencrypted address of '{host}'; refused.")
