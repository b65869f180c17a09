"""Open files of public web servers, wherever their redirects lead, within what is safe."""

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from tilebox_celery.errors import StorageError
from tilebox_celery.storage.per_process import PerProcess
from tilebox_celery.storage.sessions import MAX_REDIRECTS, REDIRECTS, get_once, make_session, origin

if TYPE_CHECKING:
    from requests import Response


class WebSession:
    """Follows redirects by hand; no login is ever sent."""

    def __init__(self) -> None:
        """Ask nothing yet."""
        self._session = PerProcess(lambda: make_session("Reading assets from the web"))

    def get(self, url: str, headers: dict[str, str]) -> "Response":
        """Open a URL and return the answer of the last host, with its body unread.

        Raises:
            Interrupted: A host cannot be reached; another attempt may succeed.
            StorageError: A redirect leads to an unencrypted or a private address, or there are too many.
        """
        first = url
        for _ in range(MAX_REDIRECTS):
            answer = get_once(self._session.get(), url, headers)
            if answer.status_code not in REDIRECTS:
                return answer
            target = urljoin(url, answer.headers.get("Location", ""))
            answer.close()
            check_redirect(target, url)
            url = target
        raise StorageError(f"{urlsplit(first).hostname} led through more than {MAX_REDIRECTS} redirects.")


def check_redirect(target: str, source: str) -> None:
    """Refuse a redirect from one URL to another that leaves the encrypted or the public web.

    Raises:
        StorageError: It does.
    """
    there, here = urlsplit(target), urlsplit(source)
    if origin(there) == origin(here):
        return
    if there.scheme not in ("http", "https") or (here.scheme == "https" and there.scheme != "https"):
        raise StorageError(f"{here.hostname} leads to an unencrypted address of '{there.hostname}'; refused.")
    if is_private(there.hostname) and not is_private(here.hostname):
        raise StorageError(f"{here.hostname} leads to '{there.hostname}', which is no address of the web; refused.")


def is_private(host: str | None) -> bool:
    """Tell whether a host is this machine or an address of a private network.

    Example:
        >>> is_private("169.254.169.254"), is_private("localhost"), is_private("example.org")
        (True, True, False)
    """
    if not host or host == "localhost":
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return False
