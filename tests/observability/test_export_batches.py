"""How items are batched, flushed and dropped on their way out."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.observability.destination import find_interval
from tilebox_celery.observability.export import CHUNK, MAX_QUEUE, Batch, flush
from tilebox_celery.observability.traceparent import format_traceparent, new_traceparent, parse_traceparent


class Destination:
    """Takes chunks once its gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.chunks: list[list[int]] = []
        self.entered = threading.Event()

    def __call__(self, items: list[int]) -> None:
        self.entered.set()
        assert self.gate.wait(20)
        self.chunks.append(items)


@pytest.fixture
def destination() -> Destination:
    """Make a destination whose gate is closed."""
    return Destination()


@pytest.fixture
def batch(destination: Destination) -> Iterator[Batch[int]]:
    """Make a batch that waits for a flush."""
    batch: Batch[int] = Batch("test", lambda: destination, interval=3600)
    yield batch
    destination.gate.set()
    batch.close(timeout=20)


def test_items_arrive_in_order_and_in_chunks(batch: Batch[int], destination: Destination) -> None:
    """A flush sends all that was queued, in order, in as few chunks as their size allows."""
    destination.gate.set()
    for number in range(100):
        batch.put(number)

    assert batch.flush(20)

    assert destination.chunks == [list(range(100))]
    assert batch.flush(0)


def test_a_full_chunk_leaves_at_once(batch: Batch[int], destination: Destination) -> None:
    """Items do not wait for the interval once there are enough for a request."""
    for number in range(CHUNK):
        batch.put(number)

    assert destination.entered.wait(20)


def test_more_than_the_queue_holds_is_dropped_and_counted(batch: Batch[int], destination: Destination) -> None:
    """While a destination is slow, a bounded number of items waits and arrives later; the others are counted."""
    for number in range(CHUNK):
        batch.put(number)
    assert destination.entered.wait(20)

    for number in range(MAX_QUEUE + 10):
        batch.put(CHUNK + number)
    destination.gate.set()

    assert batch.flush(20)
    assert batch.dropped == 10
    assert [number for chunk in destination.chunks for number in chunk] == list(range(CHUNK + MAX_QUEUE))


def test_a_flush_waits_no_longer_than_asked(batch: Batch[int], destination: Destination) -> None:
    """A flush gives up after its timeout, and a later one completes it."""
    batch.put(1)

    assert not batch.flush(0.01)
    assert not flush(0.01)
    destination.gate.set()

    assert flush(20)
    assert destination.chunks == [[1]]


def test_closing_sends_the_rest_and_takes_no_more(batch: Batch[int], destination: Destination) -> None:
    """Closing sends what is queued; what comes later is counted as dropped."""
    destination.gate.set()
    batch.put(1)

    batch.close(timeout=20)
    batch.put(2)

    assert destination.chunks == [[1]]
    assert batch.dropped == 1


def test_a_library_that_raises_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever sending raises, the chunk is dropped with one warning, and the next one is sent."""
    sent: list[int] = []

    def send(items: list[int]) -> None:
        if items == [1]:
            raise UnicodeEncodeError("utf-8", "x", 0, 1, "surrogates")
        sent.extend(items)

    batch: Batch[int] = Batch("test", lambda: send, interval=3600)
    batch.put(1)
    failed = batch.flush(20)
    batch.put(2)
    batch.close(timeout=20)

    assert not failed
    assert sent == [2]
    assert batch.dropped == 1
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["Cannot send telemetry to test"]


def test_a_connection_that_cannot_be_made_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """A destination that cannot even be opened costs its chunk, and is opened anew for the next."""
    attempts: list[int] = []
    sent: list[int] = []

    def connect():
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("no certificates")
        return sent.extend

    batch: Batch[int] = Batch("test", connect, interval=3600)
    batch.put(1)
    batch.flush(20)
    batch.put(2)
    batch.close(timeout=20)

    assert sent == [2]
    assert "no certificates" in caplog.text


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_traceparents_are_read_as_written(trace_id: int, span_id: int, flags: int) -> None:
    """What is written as a traceparent is read back the same."""
    assert parse_traceparent(format_traceparent(trace_id, span_id, flags)) == (trace_id, span_id, flags)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.upper() + "A",
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: "ff" + text[2:],
        lambda text: text.replace("-", "_"),
        lambda text: "00-" + "0" * 32 + text[35:],
        lambda text: text[:36] + "0" * 16 + text[52:],
        lambda text: text + "\n",
        lambda _: "",
        lambda _: None,
    ],
)
def test_what_is_no_traceparent_is_none(change) -> None:
    """A traceparent that the standard does not accept is treated as missing."""
    assert parse_traceparent(change("00-" + "a" * 32 + "-" + "b" * 16 + "-01")) is None
    assert parse_traceparent(new_traceparent()) is not None


def test_a_later_version_may_say_more() -> None:
    """A traceparent of a later version is read as far as it is known, as the standard asks."""
    assert parse_traceparent("01-" + "a" * 32 + "-" + "b" * 16 + "-01-more") is not None


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h13m", 7980), ("1d", 86400), ("1.5s", 1.5), ("250ms", 0.25), ("1m 5s", 65)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """Export intervals are written with units, also several."""
    assert find_interval(text) == seconds


@pytest.mark.parametrize("text", ["5", "s", "5 parsecs", "-5s", "5s5", "1h-3m", "0s", "0h0m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Anything else, and zero, is a ValueError that shows how to write one."""
    with pytest.raises(ValueError, match="write it like '5s', '500ms' or '2h13m'"):
        find_interval(text)
