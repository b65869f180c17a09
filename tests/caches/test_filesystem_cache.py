"""What the folder cache promises beyond every cache: its layout, its safety, and what crashes leave behind."""

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import pytest

from tilebox_celery.caches import LocalFileSystemCache
from tilebox_celery.caches.filesystem import TEMPORARY
from tilebox_celery.errors import CacheKeyError

JOB = "018dd029-58ca-74e5-8b58-b4f99d610f9a"
MEGABYTES = 64


@pytest.mark.clause("1.8-8")
def test_values_lie_under_root_job_and_key(tmp_path: Path) -> None:
    """The file of a value is <root>/<job id>/<key>, which other programs may read and write."""
    cache = LocalFileSystemCache(tmp_path / "cache")

    cache.group(JOB)["movies/1.json"] = b"{}"
    (tmp_path / "cache" / JOB / "movies" / "2.json").write_bytes(b"[]")

    assert (tmp_path / "cache" / JOB / "movies" / "1.json").read_bytes() == b"{}"
    assert list(cache.group(JOB).group("movies").items()) == [("1.json", b"{}"), ("2.json", b"[]")]


@pytest.mark.clause("1.8-1")
def test_the_root_is_cache_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default root is 'cache' where the runner was started, also for a task that changes the directory."""
    monkeypatch.chdir(tmp_path)
    cache = LocalFileSystemCache()
    assert not (tmp_path / "cache").exists()

    monkeypatch.chdir("/")
    cache["key"] = b"1"

    assert (tmp_path / "cache" / "key").read_bytes() == b"1"


@pytest.mark.parametrize(("umask", "mode", "folder_mode"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)])
def test_files_respect_the_umask(tmp_path: Path, umask: int, mode: int, folder_mode: int) -> None:
    """Files and folders get the permissions that the umask of the process asks for."""
    cache = LocalFileSystemCache(tmp_path / "cache")

    before = os.umask(umask)
    try:
        cache["group/key"] = b"1"
    finally:
        os.umask(before)

    assert (tmp_path / "cache/group/key").stat().st_mode & 0o777 == mode
    assert (tmp_path / "cache/group").stat().st_mode & 0o777 == folder_mode


def test_the_root_may_be_a_symbolic_link(tmp_path: Path) -> None:
    """An operator may put the root elsewhere by a link; only links below it are distrusted."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "disk")
    cache = LocalFileSystemCache(tmp_path / "cache")

    cache["a/b"] = b"1"

    assert (tmp_path / "disk/a/b").read_bytes() == cache["a/b"] == b"1"


@pytest.mark.clause("1.8-10")
def test_links_below_the_root_are_not_followed(tmp_path: Path) -> None:
    """A link that somebody put into the root leads nowhere: not for reading, writing, listing, deleting or clearing."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    cache = LocalFileSystemCache(tmp_path / "cache")
    cache["job/key"] = b"1"
    (tmp_path / "cache/job/folder").symlink_to(outside)
    (tmp_path / "cache/job/file").symlink_to(outside / "secret")
    refused = [
        lambda: cache["job/folder/secret"],
        lambda: "job/folder/secret" in cache,
        lambda: list(cache.group("job/folder")),
        lambda: cache.group("job/folder").clear(),
        lambda: cache.__setitem__("job/folder/new", b"x"),
        lambda: cache.__setitem__("job/folder/new/er", b"x"),
        lambda: cache.__delitem__("job/folder/secret"),
        lambda: cache["job/file"],
        lambda: "job/file" in cache,
        lambda: cache.__setitem__("job/file/x", b"x"),
    ]

    for use in refused:
        with pytest.raises(CacheKeyError, match=r"is a symbolic link, and those are not followed\.$"):
            use()
    listed = list(cache.group("job"))
    cache["job/file"] = b"replaces the link"

    assert listed == ["key"]
    assert cache["job/file"] == b"replaces the link"
    cache.group("job").clear()
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"secret": b"secret"}


def test_a_pipe_in_the_folder_hangs_nobody(tmp_path: Path) -> None:
    """What is no regular file is not a value, and looking at it does not block."""
    cache = LocalFileSystemCache(tmp_path)
    cache["group/key"] = b"1"
    os.mkfifo(tmp_path / "group" / "pipe")

    with pytest.raises(KeyError):
        cache["group/pipe"]

    assert "group/pipe" not in cache
    assert list(cache.group("group")) == ["key"]


def test_open_files_do_not_pile_up(tmp_path: Path) -> None:
    """Every way to use the cache, successful or not, closes what it opened."""
    cache = LocalFileSystemCache(tmp_path / "cache")
    cache["a/b/c"] = b"1"
    (tmp_path / "cache/link").symlink_to("/etc")
    before = len(os.listdir("/proc/self/fd"))

    for key in ("a/b/c", "a/b", "a", "no/such", "link/passwd", "link"):
        for use in (cache.__getitem__, cache.__contains__, cache.__delitem__):
            with suppress(KeyError, CacheKeyError):
                use(key)
        with suppress(CacheKeyError):
            cache[key] = b"2"
            list(cache.group(key))

    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.clause("1.8-10")
def test_a_full_disk_leaves_the_old_value(tmp_path: Path) -> None:
    """A value that cannot be written is one clear error; the old value stays, and so does no temporary file."""
    script = f"""
        import resource
        from tilebox_celery.caches import LocalFileSystemCache
        cache = LocalFileSystemCache({str(tmp_path)!r})
        cache["tile"] = b"old"
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        try:
            cache["tile"] = bytes(2_000_000)
        except OSError as error:
            print(error)
        print(cache["tile"], list(cache))
    """

    output = python(script).stdout.splitlines()

    assert output == [f"[Errno 27] 'tile' was not cached: File too large: '{tmp_path}'", "b'old' ['tile']"]
    assert list((tmp_path / TEMPORARY).iterdir()) == []


@pytest.mark.clause("1.8-10")
def test_a_writer_killed_in_mid_write_leaves_nothing(tmp_path: Path) -> None:
    """After kill -9 during a write the old value is whole, no key has appeared, and the next writer tidies up."""
    cache = LocalFileSystemCache(tmp_path)
    cache["tile"] = b"old"
    for _ in range(20):
        writer = subprocess.Popen([sys.executable, "-c", endless_writer(tmp_path)])
        try:
            while not any(file.stat().st_size for file in temporary_files(tmp_path)):
                assert writer.poll() is None
        finally:
            writer.kill()
            writer.wait()
        if temporary_files(tmp_path):
            break

    litter = temporary_files(tmp_path)
    listed = list(cache)
    python(f"from tilebox_celery.caches import *; LocalFileSystemCache({str(tmp_path)!r})['next'] = b'1'")

    assert litter
    assert listed == ["tile"]
    assert cache["tile"] in (b"old", *(bytes([letter]) * (MEGABYTES << 20) for letter in b"AB"))
    assert temporary_files(tmp_path) == []


def test_tidying_up_spares_a_living_writer(tmp_path: Path) -> None:
    """A process that starts while another one is in the middle of a write does not take its file away."""
    writer = subprocess.Popen([sys.executable, "-c", endless_writer(tmp_path)])
    try:
        while not temporary_files(tmp_path):
            assert writer.poll() is None
        os.kill(writer.pid, signal.SIGSTOP)
        held = temporary_files(tmp_path)
        LocalFileSystemCache(tmp_path)["other"] = b"1"
        spared = temporary_files(tmp_path)
        os.kill(writer.pid, signal.SIGCONT)
        while "tile" not in LocalFileSystemCache(tmp_path):
            assert writer.poll() is None
    finally:
        writer.kill()
        writer.wait()

    assert spared == held


@pytest.mark.clause("1.8-10")
def test_another_process_reads_whole_values_during_writes(tmp_path: Path) -> None:
    """A reader in another process sees the old value or the new one at any moment of a write."""
    cache = LocalFileSystemCache(tmp_path)
    writer = subprocess.Popen([sys.executable, "-c", endless_writer(tmp_path, size=300_000)])
    seen = set()
    try:
        while len(seen) < 2:
            assert writer.poll() is None
            if "tile" in cache:
                value = cache["tile"]
                assert len(value) == 300_000
                assert value.count(value[:1]) == len(value)
                seen.add(value[0])
    finally:
        writer.kill()
        writer.wait()

    assert seen == set(b"AB")


def test_clearing_a_group_while_others_write_to_it_loses_no_later_value(tmp_path: Path) -> None:
    """A write that returned after the last clear is there, however the two raced before."""
    cache = LocalFileSystemCache(tmp_path)

    def write(name: str) -> None:
        for turn in range(40):
            cache[f"job/{name}/{turn}"] = b"1"

    def clear() -> None:
        for _ in range(40):
            cache.group("job").clear()

    with ThreadPoolExecutor(3) as pool:
        for work in [pool.submit(write, "a"), pool.submit(write, "b"), pool.submit(clear)]:
            work.result()
    cache["job/a/0"] = b"2"

    assert cache["job/a/0"] == b"2"
    assert temporary_files(tmp_path) == []


def test_processes_race_for_a_name_as_value_and_group(tmp_path: Path) -> None:
    """Processes that use one new name as a value and as a group at the same time lose neither."""
    script = f"""
        import sys
        from tilebox_celery.caches import LocalFileSystemCache
        cache = LocalFileSystemCache({str(tmp_path)!r})
        me = sys.argv[1]
        print("ready", flush=True)
        sys.stdin.readline()
        for turn in range(60):
            cache[f"{{turn}}" if me == "value" else f"{{turn}}/{{me}}"] = me.encode()
    """
    roles = ["value", "one", "two"]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), role], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for role in roles
    ]
    for racer in racers:
        assert racer.stdout is not None
        racer.stdout.readline()

    for racer in racers:
        racer.communicate(b"\n", timeout=60)
    cache = LocalFileSystemCache(tmp_path)

    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert sorted(cache, key=int) == [str(turn) for turn in range(60)]
    for turn in range(60):
        assert cache[str(turn)] == b"value"
        assert list(cache.group(str(turn)).items()) == [("one", b"one"), ("two", b"two")]


def test_threads_race_to_turn_a_value_into_a_group(tmp_path: Path) -> None:
    """Threads that make a group beside an existing value at the same moment keep the value and all of theirs."""
    cache = LocalFileSystemCache(tmp_path)
    start = Barrier(4)

    def write(me: int) -> None:
        for turn in range(100):
            if me == 0:
                cache[f"{turn}"] = b"value"
            start.wait(timeout=10)
            cache[f"{turn}/{me}"] = b"1"

    with ThreadPoolExecutor(4) as pool:
        for work in [pool.submit(write, me) for me in range(4)]:
            work.result()

    for turn in range(100):
        assert cache[f"{turn}"] == b"value"
        assert list(cache.group(f"{turn}")) == ["0", "1", "2", "3"]


def endless_writer(root: Path, size: int = MEGABYTES << 20) -> str:
    """Return a script that overwrites one key for ever."""
    return (
        "from tilebox_celery.caches import LocalFileSystemCache\n"
        f"cache = LocalFileSystemCache({str(root)!r})\n"
        "while True:\n"
        "    for letter in b'AB':\n"
        f"        cache['tile'] = bytes([letter]) * {size}\n"
    )


def temporary_files(root: Path) -> list[Path]:
    """Return the files that are being written."""
    folder = root / TEMPORARY
    return sorted(folder.iterdir()) if folder.exists() else []


def python(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True, timeout=60
    )
