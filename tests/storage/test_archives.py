"""Archives may be hostile: nothing is written outside their folder, nor more than is reasonable."""

import io
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.storage.providers import Provider
from tests.storage.test_storage_conformance import contents
from tilebox_celery.errors import ArchiveError
from tilebox_celery.storage import ArchiveLimits
from tilebox_celery.storage.archive import unpack
from tilebox_celery.storage.retrying import Halt

Add = Callable[[zipfile.ZipFile], object]


def zipped(*adds: Add) -> bytes:
    """Return a zip to which each function has added something."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for add in adds:
            add(archive)
    return buffer.getvalue()


def named(name: str, content: bytes = b"data") -> Add:
    """Add a file under a name."""

    def add(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("x")
        info.filename = name  # past the constructor, which would clean it
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, content)

    return add


def special(mode: int) -> Add:
    """Add a link or a device."""

    def add(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("link")
        info.external_attr = mode << 16
        archive.writestr(info, "/etc/passwd")

    return add


HOSTILE: dict[str, tuple[bytes, str]] = {
    "parent": (zipped(named("../evil")), "lead out of its folder"),
    "deep parent": (zipped(named("a/../../evil")), "lead out of its folder"),
    "absolute": (zipped(named("/tmp/evil")), "lead out of its folder"),
    "backslash": (zipped(named("..\\evil")), "lead out of its folder"),
    "dot": (zipped(named("./evil")), "lead out of its folder"),
    "empty segment": (zipped(named("a//evil")), "lead out of its folder"),
    "control character": (zipped(named("a\nb")), "lead out of its folder"),
    "symbolic link": (zipped(special(0o120777)), "a link or a device"),
    "device": (zipped(special(0o020666)), "a link or a device"),
    "pipe": (zipped(special(0o010666)), "a link or a device"),
    "twice": (zipped(named("a"), named("b"), named("a/")), "twice"),
    "file as folder": (zipped(named("a"), named("a/b")), "a file and a folder"),
    "long name": (zipped(named("a" * 300)), "more than 255 bytes"),
    "bomb": (zipped(named("zeros", b"\0" * (8 << 20))), "200 times as much"),
    "no archive": (b"PK\x03\x04" + b"x" * 100, "cannot be unpacked"),
    "cut": (zipped(named("a", bytes(range(256)) * 9))[:-30], "cannot be unpacked"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archive_is_refused(asf: Provider, tmp_path: Path, kind: str) -> None:
    """It is refused in one sentence, and nothing of it is left, neither in its place nor outside."""
    body, reason = HOSTILE[kind]
    assert asf.earthdata is not None
    asf.earthdata.files["/L0/E2/E2_71629_STD_L0_F183.zip"] = body

    with pytest.raises(ArchiveError, match=reason):
        asf.client(tmp_path / "data").download({"granule_name": "E2_71629_STD_F183"})

    left = [path for path in contents(tmp_path) if not path.endswith(".json")]
    assert left == []
    assert not Path("/tmp/evil").exists()


def test_sizes_in_the_directory_may_lie(tmp_path: Path) -> None:
    """An archive whose directory states less than it unpacks to does not write more than it stated."""
    body = zipped(named("zeros", b"\0" * (4 << 20)))
    lied = body.replace(struct.pack("<L", 4 << 20), struct.pack("<L", 1000))
    (tmp_path / "x.zip").write_bytes(lied)

    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(tmp_path / "x.zip", tmp_path / "out", ArchiveLimits(), Halt())

    assert sum(len(content) for content in contents(tmp_path / "out").values()) <= 1000


def test_overlapping_entries_are_refused(tmp_path: Path) -> None:
    """Entries that share their bytes, as in the bombs without nesting, are refused or bounded by the ratio."""
    body = zipped(named("a", b"\0" * (2 << 20)))
    end = body.rindex(b"PK\x05\x06")
    start = body.rindex(b"PK\x01\x02")
    entry = body[start:end]
    twin = entry.replace(b"a", b"b", 1) if entry.endswith(b"a") else entry[:-1] + b"b"
    directory = entry + twin
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, len(directory), start, 0)
    (tmp_path / "x.zip").write_bytes(body[:start] + directory + tail)

    with pytest.raises(ArchiveError):
        unpack(tmp_path / "x.zip", tmp_path / "out", ArchiveLimits(ratio=1e9), Halt())


@pytest.mark.parametrize("limits", [ArchiveLimits(total_bytes=1000), ArchiveLimits(files=1)])
def test_limits_can_be_set(asf: Provider, tmp_path: Path, limits: ArchiveLimits) -> None:
    """A client takes limits of its own."""
    with pytest.raises(ArchiveError, match="more than the allowed"):
        asf.client(tmp_path / "data", limits=limits).download(asf.datapoint)


def test_archive_without_its_folder_is_unpacked_alike(asf: Provider, tmp_path: Path) -> None:
    """Files that lie directly in the archive end up in the folder of the product too."""
    assert asf.earthdata is not None
    asf.earthdata.files["/L0/E2/E2_71629_STD_L0_F183.zip"] = zipped(named("a.dat"), named("b/c.dat"))

    path = asf.client(tmp_path / "data").download({"granule_name": "E2_71629_STD_F183"})

    assert path == tmp_path / "data" / asf.path
    assert contents(path) == {"a.dat": b"data", "b/c.dat": b"data"}


@pytest.mark.clause("d1.6-4")
def test_archive_can_be_kept(asf: Provider, tmp_path: Path) -> None:
    """With extract=False the archive itself is returned; unpacking it later downloads nothing and leaves it there."""
    client = asf.client(tmp_path / "data")

    archive = client.download(asf.datapoint, extract=False)
    assert archive == tmp_path / "data/ASF/E2_71629_STD_F183/E2_71629_STD_L0_F183.zip"
    assert zipfile.is_zipfile(archive)
    before = len(asf.log.requests)

    folder = client.download(asf.datapoint)

    assert contents(folder) == asf.files
    assert archive.exists()
    assert len(asf.log.requests) == before


def test_unpacking_is_fast_to_refuse(tmp_path: Path) -> None:
    """A bomb is known by its directory, before anything is unpacked."""
    (tmp_path / "x.zip").write_bytes(zipped(named("zeros", b"\0" * (64 << 20))))
    begin = time.perf_counter()

    with pytest.raises(ArchiveError):
        unpack(tmp_path / "x.zip", tmp_path / "out", ArchiveLimits(), Halt())

    assert time.perf_counter() - begin < 0.5
    assert contents(tmp_path / "out") == {}
