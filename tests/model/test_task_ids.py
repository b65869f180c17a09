"""Ids of tasks and jobs: computed, drawn, ordered."""

import pickle
import random
import threading
import time
from uuid import UUID

import pytest

from tilebox_celery.model.task_ids import new_job_id, public_task_id, task_key


def test_keys_survive_the_public_id() -> None:
    """Every pair of ledger keys comes back out of the public id made from it."""
    draw = random.Random(7)
    keys = [(draw.getrandbits(54), draw.getrandbits(48) << 20 | draw.getrandbits(20)) for _ in range(1000)]

    back = [task_key(public_task_id(*key)) for key in keys]

    assert back == keys


def test_public_id_is_an_ordinary_uuid() -> None:
    """A public id equals, hashes, prints and pickles as the same UUID that was read from text."""
    value = public_task_id(3, 1708594387146 << 20 | 77)

    parsed = UUID(str(value))

    assert (value, hash(value), repr(value)) == (parsed, hash(parsed), repr(parsed))
    assert pickle.loads(pickle.dumps(value)) == value
    assert value.version == 7


def test_public_ids_sort_like_tasks() -> None:
    """Ids of the tasks of one job sort in the order of the ledger's ids."""
    ids = [(1708594387146 << 20) + number for number in range(0, 1 << 21, 911)]

    public = [public_task_id(5, number) for number in ids]

    assert public == sorted(public)


@pytest.mark.clause("1.6-9")
def test_ids_start_with_milliseconds() -> None:
    """The first 48 bits of a job's and of a task's id are the milliseconds since the epoch."""
    before = time.time_ns() // 1_000_000

    job_ms = new_job_id().int >> 80

    assert before <= job_ms <= time.time_ns() // 1_000_000 + 1
    assert public_task_id(9, before << 20 | 0xFFFFF).int >> 80 == before


def test_job_ids_grow_in_all_threads() -> None:
    """Job ids are unique over threads, and each thread sees its own grow."""
    drawn: list[list[UUID]] = []

    def draw() -> None:
        drawn.append([new_job_id() for _ in range(2000)])

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(each == sorted(each) for each in drawn)
    assert len({value for each in drawn for value in each}) == 8000
