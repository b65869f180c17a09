"""What Celery's canvas guide promises of each primitive holds for a ledger job."""

import json
from collections.abc import Callable
from typing import Any

from canvas_project import add, fail, mul, none_of, pack, stamps, total
from celery import chain, chord, group
from celery.canvas import StampingVisitor

from tilebox_celery.client.client import Client
from tilebox_celery.model.job import Job

Run = Callable[[Any], Any]


def test_a_single_signature_is_a_job_of_one_task(run: Run) -> None:
    """A signature with arguments runs as it stands."""
    result = run(add.s(2, 2))

    assert result == 4


def test_arguments_given_later_go_before_those_of_a_partial(run: Run) -> None:
    """Cloning a partial with more arguments puts them first and merges keyword arguments, the later ones winning."""
    partial = pack.s(2, a=1, b=1)

    result = run(partial.clone(args=(4,), kwargs={"b": 2}))

    assert result == [[4, 2], {"a": 1, "b": 2}]


def test_a_signature_that_went_through_json_runs_alike(run: Run) -> None:
    """A dict with the parts of a signature is one, and so is a whole canvas after JSON."""
    canvas = chord([add.s(2, 2), mul.s(2, 4)], chain(total.s(), add.s(1)))

    result = run(json.loads(json.dumps(canvas)))

    assert result == 13


def test_a_chain_hands_each_result_on_as_the_first_argument(run: Run) -> None:
    """2 + 2 + 4 + 8, written with chain."""
    result = run(chain(add.s(2, 2), add.s(4), add.s(8)))

    assert result == 16


def test_a_chain_can_be_written_with_pipes(run: Run) -> None:
    """The same with pipes, and with a pipe between two chains."""
    first = add.s(4, 16) | mul.s(2)

    result = run(first | (add.s(4) | mul.s(8)))

    assert result == ((4 + 16) * 2 + 4) * 8


def test_a_partial_chain_takes_its_first_argument_later(run: Run) -> None:
    """An argument of a chain of partials goes to its first task."""
    partial = add.s(4) | mul.s(8)
    partial.args = (16,)

    result = run(partial)

    assert result == 160


def test_immutable_signatures_take_nothing_from_the_task_before(run: Run) -> None:
    """A chain of si() runs in order, each with its own arguments only."""
    result = run(add.si(2, 2) | add.si(4, 4) | add.si(8, 8))

    assert result == 16


def test_a_signature_can_be_made_immutable_by_an_option(run: Run) -> None:
    """signature(immutable=True) and set(immutable=True) say the same as si()."""
    result = run(chain(add.s(1, 1), pack.signature((2,), immutable=True), pack.s(3).set(immutable=True)))

    assert result == [3]


def test_a_group_gives_a_list_in_written_order(run: Run) -> None:
    """A group of ten additions, from a generator."""
    result = run(group(add.s(i, i) for i in range(10)))

    assert result == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]


def test_a_chord_hands_the_list_to_its_body(run: Run) -> None:
    """A chord over ten additions."""
    result = run(chord((add.s(i, i) for i in range(10)), total.s()))

    assert result == 90


def test_a_chord_with_an_immutable_body_only_waits(run: Run) -> None:
    """An immutable body runs after the header and ignores what it returned."""
    result = run(chord([add.s(1, 1), add.s(2, 2)], pack.si("imported")))

    assert result == ["imported"]


def test_a_group_with_a_task_behind_it_is_a_chord(run: Run) -> None:
    """group | task joins."""
    result = run(group(add.s(i, i) for i in range(10)) | total.s())

    assert result == 90


def test_a_chord_with_a_task_behind_it_goes_on(run: Run) -> None:
    """chord | task | task."""
    result = run(chord([add.s(1, 1), add.s(2, 2)], total.s()) | add.s(10) | mul.s(2))

    assert result == 32


def test_a_group_behind_a_task_hands_the_result_to_each_member(run: Run) -> None:
    """task | group fans the result out."""
    result = run(add.s(2, 2) | group(add.s(10), mul.s(10), pack.si("welcome")))

    assert result == [14, 40, ["welcome"]]


def test_a_group_between_two_tasks_fans_out_and_joins(run: Run) -> None:
    """task | group | task."""
    result = run(chain(add.s(4, 4), group(add.s(i) for i in range(4)), total.s()))

    assert result == 8 + 9 + 10 + 11


def test_two_groups_in_a_row_hand_on_whole_lists(run: Run) -> None:
    """Each member of the second group gets the list of the first."""
    result = run(chain(group(add.s(1, 1), add.s(2, 2)), group(total.s(), pack.s())))

    assert result == [6, [[2, 4]]]


def test_a_group_of_one_in_a_chain_is_its_member(run: Run) -> None:
    """The guide's unrolling: 2 + 2, then + 1 in a group of one, then + 1."""
    result = run(chain(add.s(2, 2), group(add.s(1)), add.s(1)))

    assert result == 6


def test_a_group_of_one_is_its_member_however_it_is_written(run: Run) -> None:
    """Also in another group and as the last step, in a chain that Celery's constructors have not unrolled."""

    def steps(*tasks: Any) -> Any:
        return {"task": "celery.chain", "kwargs": {"tasks": list(tasks)}}

    nested = run(steps(add.s(2, 2), group([group([add.s(1)]), group([])]), add.s(1)))
    last = run(steps(add.s(2, 2), group([add.s(1)])))

    assert (nested, last) == (6, 5)


def test_an_empty_group_in_a_chain_is_no_step(run: Run) -> None:
    """What is before it goes to what is behind it."""
    result = run(chain(add.s(2, 2), group([]), add.s(1)))

    assert result == 5


def test_a_chord_without_header_tasks_calls_its_body_with_an_empty_list(run: Run) -> None:
    """The body runs at once."""
    result = run(chord([], total.s()))

    assert result == 0


def test_chains_can_stand_side_by_side(run: Run) -> None:
    """A group of chains gives the last result of each."""
    result = run(group(chain(add.s(1, 1), mul.s(10)), chain(add.s(2, 2), mul.s(10), add.s(1))))

    assert result == [20, 41]


def test_a_chain_in_a_group_may_end_in_a_group(run: Run) -> None:
    """Then its member is a list in the list."""
    result = run(group(chain(add.s(1, 1), group(add.s(1), add.s(2))), add.s(5, 5)))

    assert result == [[3, 4], 10]


def test_a_group_in_a_group_is_flattened_in_written_order(run: Run) -> None:
    """Also in the header of a chord, where Celery's workers turn the order round."""
    result = run(chord([group(pack.si(1), pack.si(2)), pack.si(3)], pack.s()))

    assert result == [[[1], [2], [3]]]


def test_a_chord_can_stand_in_the_header_of_a_chord(run: Run) -> None:
    """The inner body's result is one item of the outer list."""
    inner = chord([add.s(1, 1), add.s(2, 2)], total.s())

    result = run(chord([inner, add.s(4, 4)], pack.s()))

    assert result == [[6, 8]]


def test_a_chord_in_a_chain_hands_the_value_to_its_header(run: Run) -> None:
    """task | chord gives the result to each header task."""
    result = run(chain(add.s(1, 1), chord([add.s(1), add.s(2)], total.s())))

    assert result == 7


def test_the_body_of_a_chord_can_be_a_group(run: Run) -> None:
    """Each member gets the list."""
    result = run(chord([add.s(1, 1), add.s(2, 2)], group(total.s(), pack.s(1))))

    assert result == [6, [[2, 4], 1]]


def test_map_calls_a_task_for_each_item_in_one_task(run: Run, client: Client, run_job: Callable[[Any], Job]) -> None:
    """tsum.map of two ranges is one ledger task with a list as its result."""
    job = run_job(total.map([list(range(10)), list(range(100))]))

    assert client.jobs().result(job) == [45, 4950]
    assert len(client.jobs().tasks(job)) == 1


def test_starmap_spreads_each_item_over_the_arguments(run: Run) -> None:
    """add.starmap over pairs from a generator."""
    result = run(add.starmap(zip(range(10), range(10), strict=True)))

    assert result == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]


def test_map_takes_nothing_from_the_task_before(run: Run) -> None:
    """In a chain it only waits; what it returns is handed on."""
    result = run(chain(add.s(1, 1), total.map([[1, 2], [3]]), total.s()))

    assert result == 6


def test_chunks_are_one_task_each(client: Client, run_job: Callable[[Any], Job]) -> None:
    """A hundred additions in chunks of ten are ten ledger tasks, and a list of ten lists."""
    job = run_job(add.chunks(zip(range(100), range(100), strict=True), 10))

    assert client.jobs().result(job) == [[2 * i for i in range(start, start + 10)] for start in range(0, 100, 10)]
    assert [task.display for task in client.jobs().tasks(job)] == ["canvas_project.add"] * 10


def test_the_last_chunk_may_be_shorter(run: Run) -> None:
    """Five pairs in twos."""
    result = run(add.chunks([(i, i) for i in range(5)], 2))

    assert result == [[0, 2], [4, 6], [8]]


def test_chunks_are_a_step_of_a_chain(run: Run) -> None:
    """Where Celery's own chunks hand on ids of results, ours hand on the results, however many chunks there are."""
    several = run(chain(add.si(0, 0), add.chunks([(1, 1), (2, 2)], 1), pack.s()))
    one = run(chain(add.si(0, 0), add.chunks([(1, 1), (2, 2)], 10), pack.s()))
    none = run(chain(add.si(0, 0), add.chunks([], 10), pack.s()))

    assert (several, one, none) == ([[[2], [4]]], [[[2, 4]]], [[]])


def test_chunks_as_a_group_run_alike(run: Run) -> None:
    """chunks(...).group() is a group of starmaps."""
    result = run(add.chunks([(i, i) for i in range(4)], 2).group())

    assert result == [[0, 2], [4, 6]]


def test_a_failed_header_task_keeps_the_body_from_running(client: Client, run_job: Callable[[Any], Job]) -> None:
    """The job fails with the header's error, and the body stays queued."""
    job = run_job(chord([add.s(1, 1), fail.s("no scene")], total.s()))

    states = {task.display.partition("\n")[0]: str(task.state) for task in client.jobs().tasks(job)}
    assert job.state == "FAILED"
    assert states == {
        "canvas_project.add": "COMPUTED",
        "canvas_project.fail": "FAILED",
        "canvas_project.total": "QUEUED",
    }


def test_a_failed_canvas_goes_on_after_a_retry(client: Client, run_job: Callable[[Any], Job], tmp_path: Any) -> None:
    """Retrying the job runs the failed task again, and the results that were there are used."""
    job = run_job(chain(add.s(1, 1), fail.s(unless=str(tmp_path / "there")), add.s(1)))
    (tmp_path / "there").touch()

    requeued = client.jobs().retry(job)
    client.runner(tasks=[add, fail]).run_all()

    assert (requeued, client.jobs().result(job)) == (1, 3)


def test_keyword_arguments_stay_as_they_are(run: Run) -> None:
    """A value is handed on as the first argument beside keyword arguments."""
    result = run(chain(add.s(1, 1), pack.s(5, debug=True)))

    assert result == [[2, 5], {"debug": True}]


def test_null_is_handed_on(run: Run) -> None:
    """A task that returns None hands None on."""
    result = run(chain(none_of.s(), none_of.s(), pack.s(1)))

    assert result == [None, 1]


class MarkEach(StampingVisitor):
    """Stamps tasks, and those in groups once more."""

    def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any]:
        return {"mark": f"on {sig.task.rpartition('.')[2]}"}

    def on_group_start(self, group: Any, **headers: Any) -> dict[str, Any]:
        return {"in_group": "yes"}


def test_a_task_sees_its_stamps(run: Run) -> None:
    """Stamps of a visitor are in self.request.stamps, and those of a group in its members."""
    canvas = group(stamps.si(), stamps.si())
    canvas.stamp(MarkEach())

    result = run(canvas)

    assert result == [{"mark": ["on stamps"], "in_group": ["yes"]}] * 2


def test_a_canvas_can_be_submitted_again(run: Run) -> None:
    """Submitting changes nothing in the signature, even if it was made from generators."""
    canvas = chord((add.s(i, i) for i in range(3)), total.s())

    first, second = run(canvas), run(canvas)

    assert first == second == 6
