"""The wake-up protocol under random pauses: no burst of work ends with a runnable task beside a sleeping slot.

The sweep, which would mend it within a second or so, is not played.
"""

import pytest
from ledger_floor import SLOTS, Floor
from ledger_mutants import Mutant, mutate
from ledger_pauses import with_pauses

from tilebox_celery.postgres.connection import Connection

PAUSED = ("wake_ahead", "submit", "publish", "wake", "claim", "claim_and_count", "heartbeat")
PAUSE = "if random() < 0.2 then perform pg_sleep(0.01 * random()); end if;"
RENEW = "update tbx.leases l set until"
WRONG = (
    Mutant(
        "submit",
        "v_hold := pg_advisory_xact_lock_shared(7411, v_cluster) is null;",
        "null;",
        "submissions hold nothing",
    ),
    Mutant(
        "claim", " or not pg_try_advisory_xact_lock(7411, v_slot.cluster_id)", "", "a slot goes idle beside publishers"
    ),
    Mutant("claim", "v_again := true;", "exit;", "a slot goes idle without another look"),
    Mutant("submit", " and s.state = 'woken'", "", "a submission counts on a slot that sleeps again"),
    Mutant(
        "heartbeat",
        RENEW,
        f"perform 1 from tbx.slots s where s.id = any (p_slots) for update;\n    {RENEW}",
        "a heartbeat hides its slots",
    ),
)


def stuck_burst(url: str, connection: Connection, bursts: int, *wrong: Mutant) -> int | None:
    """Return the first burst that leaves a runnable task while all sleep."""
    sources = mutate(*wrong)
    for name in {*PAUSED, *(mutant.function for mutant in wrong)}:
        connection.execute(with_pauses(sources[name], PAUSE).encode(), prepare=False)
    with Floor(url) as floor:
        for number in range(bursts):
            floor.burst()
            if connection.execute(b"select 1 from tbx.tasks where phase = 'r' limit 1").fetchone():
                return number
    assert len(floor.executed) == len(set(floor.executed)) >= bursts * len(SLOTS)
    return None


@pytest.mark.parametrize(
    "bursts",
    [pytest.param(25, id="25"), pytest.param(1000, id="1000", marks=[pytest.mark.long, pytest.mark.timeout(900)])],
)
def test_no_slot_sleeps_beside_a_runnable_task(ledger_url: str, connection: Connection, bursts: int) -> None:
    """With pauses between the statements of slots, publishers and heartbeats, every burst is worked off."""
    stuck = stuck_burst(ledger_url, connection, bursts)

    assert stuck is None


@pytest.mark.parametrize("mutant", WRONG, ids=lambda mutant: mutant.wrong)
def test_a_plain_protocol_loses_wake_ups(ledger_url: str, connection: Connection, mutant: Mutant) -> None:
    """Without one part of the protocol, such bursts leave tasks beside sleeping slots."""
    stuck = stuck_burst(ledger_url, connection, 300, mutant)

    assert stuck is not None
