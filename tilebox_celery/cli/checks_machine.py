"""Look at this machine: its variables, the embedded stack, and what listens for strangers."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path

from tilebox_celery.cli.checks import Finding, failure, fine, warning
from tilebox_celery.errors import EmbeddedStackError
from tilebox_celery.model.text import counted
from tilebox_celery.settings import PREFIX, Settings

FLOWER_PORT = 5555
_LISTENS = "0A"
_FOR_TESTS = ("FAULT", "FAULT_DIR", "CRASH")


def look_at_variables(names: Iterable[str]) -> Iterator[Finding]:
    """Yield a warning for each variable that looks like a setting and is none: one misspelled URL is other servers.

    Args:
        names: Of all environment variables.
    """
    known = [PREFIX + name for name in (*(each.name.upper() for each in fields(Settings)), *_FOR_TESTS)]
    for name in sorted(set(names) - set(known)):
        if name.startswith(PREFIX):
            near = get_close_matches(name, known, 1, 0.8)
            advice = f"Did you mean {near[0]}?" if near else "See docs/reference/settings.md, or unset it."
            yield warning("variables", f"{name} is no setting: nothing reads it", advice)


def look_at_stack(settings: Settings) -> "tuple[list[Finding], str | None, str | None]":
    """Return what there is to say about the embedded stack, and its URLs if it runs; nothing is started."""
    from tilebox_celery.embedded import status
    from tilebox_celery.embedded.binaries import check_installed
    from tilebox_celery.embedded.places import check_place

    try:
        check_installed()
        found = status(settings.home)
        if not found.running:
            check_place(settings.home)
    except EmbeddedStackError as error:
        return [failure("embedded", str(error), "Or name servers of your own: TILEBOX_CELERY_LEDGER_URL.")], None, None
    if not found.running:
        return (
            [fine("embedded", f"not running in {found.home}; it starts with the first command that needs it")],
            None,
            None,
        )
    size = (found.postgres_bytes + found.valkey_bytes) / 2**20
    users = counted(len(found.user_pids), "process")
    text = f"running in {found.home} ({size:,.0f} MiB), used by {users}"
    return [fine("embedded", text)], found.ledger_url, found.broker_url


def look_at_binds() -> Iterator[Finding]:
    """Yield a warning if a Flower of this machine can be reached from others."""
    if any(port == FLOWER_PORT and not loopback for port, loopback in listening()):
        yield warning(
            "open binds",
            f"port {FLOWER_PORT} (Flower) can be reached from other machines",
            "Start it with 'tilebox-celery flower', which listens on 127.0.0.1 or asks for a login.",
        )


def listening() -> Iterator[tuple[int, bool]]:
    """Yield each TCP port that something listens on, and whether only for this machine."""
    for name in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, _, state = line.split()[:4]
            address, _, port = local.partition(":")
            if state == _LISTENS:
                yield int(port, 16), _is_loopback(address)


def _is_loopback(address: str) -> bool:
    """Read an address as the kernel prints it: words of 32 bits, in the byte order of the machine."""
    if len(address) == 8:
        return address.endswith("7F")
    return address in ("00000000000000000000000001000000", "0000000000000000FFFF00000100007F")
