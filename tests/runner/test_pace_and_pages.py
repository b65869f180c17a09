"""How many tasks a slot takes at once, and how the keeper takes back what a slot has not started."""

import os
import subprocess
import sys
from uuid import UUID

import pytest

from tilebox_celery.ledger.calls import ClaimedTask, new_claim_id
from tilebox_celery.runner.pace import MAX_BATCH, Pace
from tilebox_celery.runner.page import Pages

CLAIM = str(UUID(new_claim_id()))
TAKE_BACK = """
import sys
from tilebox_celery.runner.page import Pages
pages = Pages(1, int(sys.argv[1]))
for line in sys.stdin:
    batch, rest = pages.revoke_rest(0)
    print(batch.running, len(rest), rest[0] if rest else None, flush=True)
"""
RACE = """
import sys
from tilebox_celery.runner.page import Pages
pages = Pages(1, int(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
while pages.read(0).position < 20:
    pass
_, rest = pages.revoke_rest(0)
print(len(rest), flush=True)
"""


def claimed(count: int) -> list[ClaimedTask]:
    """Make a batch of tasks 0, 1, 2, ... of job 5."""
    return [ClaimedTask(5, i, None, 1, 1, 0, 0, b"", None) for i in range(count)]


def test_pace_starts_with_one_and_grows_fourfold() -> None:
    """An unseen route has no cap of its own; a fast one may be taken 4, 16, 64 at a time, up to the largest batch."""
    pace = Pace(0.1)
    assert pace.caps() == ([], [])

    caps = []
    count = 1
    for _ in range(5):
        pace.learn(7, count, count * 0.000_01)
        count = pace.caps()[1][0]
        caps.append(count)

    assert caps == [4, 16, 64, 256, MAX_BATCH]


@pytest.mark.parametrize(("seconds", "cap"), [(0.05, 2), (0.1, 1), (5.0, 1), (0.025, 4)])
def test_pace_fills_the_time_of_a_batch(seconds: float, cap: int) -> None:
    """A cap is what fits into the time of a batch, at least one task."""
    pace = Pace(0.1)

    pace.learn(7, 1, seconds)

    assert pace.caps() == ([7], [cap])
    assert pace.is_long(7) is (seconds >= 0.1)
    assert pace.is_long(8), "what is unknown is told as if it were long"


def test_pace_believes_a_slow_task_at_once_and_fast_ones_slowly() -> None:
    """One slow task shrinks the next batch to one; fast ones after it grow it again."""
    pace = Pace(0.1)
    for _ in range(4):
        pace.learn(7, 64, 0.064)
    fast = pace.caps()[1][0]

    pace.learn(7, 1, 1.0)
    slow = pace.caps()[1][0]
    for _ in range(12):
        pace.learn(7, 1, 0.001)

    assert (fast, slow) == (100, 1)
    assert pace.caps()[1][0] > 10


def test_page_tells_what_runs() -> None:
    """A reader sees slot, process, claim and tasks of the batch, and which of them runs."""
    pages = Pages(2)
    page = pages.page(1)
    page.open(42)

    page.begin(CLAIM, claimed(3))
    before = pages.read(1)
    started = page.start(1)
    during = pages.read(1)
    page.end()

    assert (before.slot_id, before.pid, before.running, before.claim_id) == (42, os.getpid(), None, CLAIM)
    assert started
    assert (during.running, during.tasks) == ((5, 1), [(5, 0), (5, 1), (5, 2)])
    assert (pages.read(1).running, pages.read(1).tasks) == (None, [])
    assert pages.read(0).slot_id == 0


def test_another_process_takes_back_what_was_not_started() -> None:
    """The keeper gets the tasks behind the running one, and the slot starts none of them."""
    pages = Pages(1)
    page = pages.page(0)
    page.open(42)
    keeper = subprocess.Popen(
        [sys.executable, "-c", TAKE_BACK, str(pages.fd)],
        pass_fds=[pages.fd],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    page.begin(CLAIM, claimed(4))
    answers = []

    page.start(0)
    answers.append(page.start(1))
    said, _ = keeper.communicate("take\n")
    answers += [page.start(2), page.start(3)]
    page.begin(CLAIM, claimed(4))
    answers.append(page.start(0))

    assert said == "(5, 1) 2 (5, 2)\n"
    assert answers == [True, False, False, True]


def test_race_between_start_and_taking_back_gives_no_task_to_both() -> None:
    """While a slot starts one task after the other, each is started or taken back; a refused one goes back as well."""
    for _ in range(2):
        pages = Pages(1)
        page = pages.page(0)
        page.open(42)
        page.begin(CLAIM, claimed(MAX_BATCH))
        keeper = subprocess.Popen(
            [sys.executable, "-c", RACE, str(pages.fd)],
            pass_fds=[pages.fd],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        keeper.stdout.readline()
        keeper.stdin.write("go\n")
        keeper.stdin.flush()

        started = 0
        for position in range(MAX_BATCH):
            if not page.start(position):
                break
            started += 1
            os.sched_yield()
        taken, _ = keeper.communicate()

        refused = int(started < MAX_BATCH)  # it may be among those taken back, or the slot gives it back itself
        assert started + int(taken) <= MAX_BATCH <= started + int(taken) + refused


def test_drain_is_seen_by_every_slot() -> None:
    """One byte tells all slots to claim nothing more."""
    pages = Pages(2)
    slots = [pages.page(0), pages.page(1)]
    before = [slot.is_draining() for slot in slots]

    pages.drain()

    assert before == [False, False]
    assert [slot.is_draining() for slot in slots] == [True, True]
    assert Pages(2, os.dup(pages.fd)).is_draining()


def test_slot_learns_that_its_batch_went_to_others() -> None:
    """A revoked batch is held no more, with the task that runs; an older claim or the next batch is not hurt."""
    pages = Pages(1)
    page = pages.page(0)
    page.open(42)
    page.begin(CLAIM, claimed(2))
    held = [page.start(0) and page.holds()]

    pages.revoke_all(0, str(UUID(new_claim_id())))
    held.append(page.holds())
    pages.revoke_all(0, CLAIM)
    held += [page.holds(), page.start(1)]
    page.begin(CLAIM, claimed(2))
    held.append(page.start(0) and page.holds())

    assert held == [True, True, False, False, True]
