"""Bells between a worker's parent and its resting children."""

import os
import threading
import time

import pytest

from tilebox_celery.runner.bells import Bell, Bells


def never() -> bool:
    """Do not stop."""
    return False


def test_a_ring_before_the_rest_is_heard() -> None:
    """A wake-up that comes while the child is at work ends the next rest at once, and only that one."""
    bells = Bells(3)
    bell = bells.bell(2)
    bell.arm()

    rung = [bells.ring(2) for _ in range(3)]
    first = bell.rest(never)
    threading.Timer(0.3, bells.ring, [2]).start()
    begun = time.monotonic()
    second = bell.rest(never)

    assert (rung, first, second) == ([True] * 3, True, True)
    assert time.monotonic() - begun > 0.2


def test_only_children_in_their_loops_are_rung() -> None:
    """A page without a child, and a child that has left its loop, are the pool's."""
    bells = Bells(2)
    bell = bells.bell(0)

    before = bells.ring(0)
    bell.arm()
    inside = bells.ring(0)
    bell.disarm()

    assert (before, inside, bells.ring(0), bells.ring(1)) == (False, True, False, False)


def test_who_takes_over_a_page_hears_nothing_old() -> None:
    """The child that replaces a killed one starts outside of the loop, and its first rest is a rest."""
    bells = Bells(1)
    killed = bells.bell(0)
    killed.arm()
    bells.ring(0)

    bell = bells.bell(0)

    assert not bells.ring(0)
    bell.arm()
    threading.Timer(0.3, bells.ring, [0]).start()
    begun = time.monotonic()
    assert bell.rest(never)
    assert time.monotonic() - begun > 0.2


def test_rings_beyond_what_a_pipe_holds_block_nobody() -> None:
    """A hundred thousand rings to a child that is at work for long."""
    bells = Bells(1)
    bell = bells.bell(0)
    bell.arm()

    assert all(bells.ring(0) for _ in range(100_000))
    assert bell.rest(never)


def test_children_at_rest_can_be_sent_home() -> None:
    """As many as asked for leave; one at work stays, and whoever is on its way is the pool's."""
    bells = Bells(3)
    ears = [bells.bell(number) for number in range(3)]
    stayed: list[bool] = []
    for bell in ears:
        bell.arm()
    resting = threading.Thread(target=lambda: stayed.append(ears[1].rest(never)))
    resting.start()
    while bells.count_at_work() == 3:
        time.sleep(0.01)

    sent = bells.send_home(2)
    rung = bells.ring(1)
    resting.join(10)

    assert (sent, rung, stayed) == (1, False, [False])
    assert bells.count_at_work() == 2


def test_a_drain_ends_every_rest() -> None:
    """Ring all, after the word to stop was given, lets each child see it."""
    bells = Bells(2)
    stop = threading.Event()
    answers: list[bool] = []

    def rest(bell: Bell) -> None:
        bell.arm()
        answers.append(bell.rest(stop.is_set))

    threads = [threading.Thread(target=rest, args=(bells.bell(number),)) for number in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    stop.set()
    begun = time.monotonic()
    bells.ring_all()
    for thread in threads:
        thread.join(10)

    assert answers == [False, False]
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("rung", [True, False])
def test_a_ring_crosses_a_fork(rung: bool) -> None:
    """The child hears its parent."""
    bells = Bells(1)
    ready, tell = os.pipe()
    pid = os.fork()
    if not pid:
        bell = bells.bell(0)
        bell.arm()
        os.write(tell, b"!")
        deadline = time.monotonic() + 1
        os._exit(42 if bell.rest(lambda: time.monotonic() > deadline) else 7)
    os.read(ready, 1)
    if rung:
        assert bells.ring(0)
    else:
        time.sleep(1.1)
        bells.ring_all()
    _, status = os.waitpid(pid, 0)
    os.close(ready)
    os.close(tell)

    assert os.waitstatus_to_exitcode(status) == (42 if rung else 7)
