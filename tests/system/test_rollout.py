"""New versions are rolled out in mid-job, and what nobody can take waits and says why."""

import pytest
from fleet import Fleet, until
from workflow import VersionedRow

from tilebox_celery.workflows import Client, ExecutionContext, Task

pytestmark = pytest.mark.system


def versioned(version: str) -> type[Task]:
    """Return the class as a client of that version has it: a class says its identifier once."""

    class Versioned(Task):
        name: str

        @staticmethod
        def identifier() -> tuple[str, str]:
            return "system.Versioned", version

        def execute(self, context: ExecutionContext) -> None:
            raise NotImplementedError("runs in workers alone")

    return Versioned


def ends(fleet: Fleet) -> list[str]:
    """Return the versions that ran, in order."""
    return [line.split()[2] for line in fleet.effects() if line.startswith("end ")]


def whys(client: Client, job: object) -> set[str]:
    """Return the reasons of a job's waiting tasks."""
    return {why.reason for why in client.jobs().why(job)}  # type: ignore[arg-type] # a Job


def test_a_rollout_in_mid_job(fleet: Fleet, client: Client) -> None:
    """v1.3 to v1.4 in mid-job: v1.4 ends what v1.3 began; v2.0 takes none of it, and why says so; v1.5 takes over."""
    old = fleet.start("--concurrency", "1", STEP_VERSION="v1.3")
    job = client.jobs().submit("row", VersionedRow(60))
    until(lambda: len(ends(fleet)) >= 3)

    old.terminate()
    assert old.wait(30) == 0
    newer = fleet.start("--concurrency", "1", STEP_VERSION="v1.4")
    until(lambda: "v1.4" in ends(fleet))
    newer.terminate()
    assert newer.wait(30) == 0
    done = len(ends(fleet))
    fleet.start("--concurrency", "1", STEP_VERSION="v2.0")

    reason = "has 'system.Versioned' v1.3"
    until(lambda: any(reason in why for why in whys(client, job)))
    new = client.jobs().submit("new", VersionedRow(2)).wait(30)
    assert (new.state, ends(fleet)[done:]) == ("COMPLETED", ["v2.0"] * 2)
    assert client.jobs().find(job).state != "COMPLETED"

    fleet.start("--concurrency", "1", STEP_VERSION="v1.5")
    assert job.wait(30).state == "COMPLETED"
    assert set(ends(fleet)) == {"v1.3", "v1.4", "v1.5", "v2.0"}
    fleet.check_effects(*map(str, range(2, 60)))
    assert (fleet.count("end 0 v1.3"), fleet.count("end 1 v1.3"), ends(fleet).count("v2.0")) == (1, 1, 2)
    fleet.check_ledger()


def test_minor_versions_are_numbers(fleet: Fleet, client: Client) -> None:
    """v1.9 cannot run v1.10, which waits and says why until v1.10 joins and claims at once, with v1.9's."""
    first = fleet.start("--concurrency", "1", STEP_VERSION="v1.9")
    ten = client.jobs().submit("ten", versioned("v1.10")("ten"))

    [reason] = until(lambda: whys(client, ten))
    assert "has 'system.Versioned' v1.10 (the newest one there is v1.9)" in reason
    first.terminate()
    assert first.wait(30) == 0
    nine = client.jobs().submit("nine", versioned("v1.9")("nine"))
    assert ends(fleet) == []

    fleet.start("--concurrency", "1", STEP_VERSION="v1.10")

    assert (ten.wait(30).state, nine.wait(30).state) == ("COMPLETED", "COMPLETED")
    assert ends(fleet) == ["v1.10", "v1.10"]
    fleet.check_effects("ten", "nine")
    fleet.check_ledger()
