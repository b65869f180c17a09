"""What cannot be a job is refused before anything is written, with one sentence that names the place."""

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from canvas_project import add, app, fail, kept, mul, pack, total, unkept
from celery import Celery, Signature, chain, chord, group, shared_task, signature
from celery.canvas import StampingVisitor
from celery.contrib.abortable import AbortableTask

from tilebox_celery.client.client import Client
from tilebox_celery.dispatch.canvas import plan_canvas
from tilebox_celery.errors import CanvasError, NotFoundError
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.runner.task_runner import TaskRunner


def refusal(canvas: Any) -> str:
    with pytest.raises(CanvasError) as caught:
        plan_canvas(canvas)
    return str(caught.value)


def test_nothing_is_written_for_a_canvas_that_is_refused(
    client: Client, runner: TaskRunner, connection: Connection
) -> None:
    """The ledger has no job and no task afterwards."""
    with pytest.raises(CanvasError):
        client.jobs().submit_canvas("refused", chain(add.s(1, 1), group(add.s(1), add.s({1}))))

    assert connection.execute("select count(*) from tbx.jobs").fetchone() == (0,)
    assert connection.execute("select count(*) from tbx.tasks").fetchone() == (0,)


def test_the_place_is_named_by_its_path() -> None:
    """The path leads through chains, groups, headers and bodies."""
    countdown = add.s(1).set(countdown=3)

    in_group = refusal(chain(add.s(1, 1), add.s(1), group(countdown.clone(), add.s(1))))
    in_header = refusal(chord([add.s(1, 1), chain(add.s(1, 1), countdown.clone())], total.s()))
    in_body = refusal(chord([add.s(1, 1), add.s(1, 1)], chain(total.s(), countdown.clone())))
    alone = refusal(add.s(1, 1).set(countdown=3))

    assert in_group.startswith("chain[2].group[0]: canvas_project.add has a countdown")
    assert in_header.startswith("chord.header[1].chain[1]: canvas_project.add has a countdown")
    assert in_body.startswith("chord.body.chain[1]: canvas_project.add has a countdown")
    assert alone.startswith("canvas_project.add has a countdown")


def linked() -> Signature:
    sig = add.s(1, 1)
    sig.link(mul.s(2))
    return sig


def linked_error() -> Signature:
    return add.s(1, 1).on_error(fail.s())


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (linked(), "has a callback (link)"),
        (linked_error(), "has an error callback (link_error)"),
        (add.s(1, 1).set(eta=datetime.now(UTC)), "has an eta"),
        (add.s(1, 1).set(expires=60), "expires"),
        (add.s(1, 1).set(expires=timedelta(minutes=1)), "expires"),
        (add.s(1, 1).set(time_limit=60), "has a time limit"),
        (add.s(1, 1).set(soft_time_limit=60), "has a time limit"),
        (add.s(1, 1).set(serializer="pickle"), "'pickle'"),
        (add.s(1, 1).set(flavour="sweet"), "the option 'flavour'"),
    ],
)
def test_options_that_a_job_cannot_honour_are_refused(option: Signature, words: str) -> None:
    """Each is named, with the task that has it, in one sentence."""
    sentence = refusal(chain(option, add.s(1)))

    assert sentence.startswith("chain[0]: canvas_project.add ")
    assert words in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize("option", ["link", "link_error", "countdown", "eta", "expires"])
def test_options_of_chains_groups_and_chords_are_refused_too(option: str) -> None:
    """An option of a whole canvas counts like that of a task."""
    for canvas in (group([add.s(1, 1), add.s(2, 2)]), chord([add.s(1, 1), add.s(2, 2)], total.s())):
        canvas.options[option] = [mul.s(1)] if option.startswith("link") else 10

        sentence = refusal({**canvas})

        assert sentence.startswith("this group " if canvas["task"] == "celery.group" else "this chord ")


def test_the_link_of_a_chain_is_found_at_its_last_task() -> None:
    """Celery moves it there when the chain is put into another one."""
    inner = chain(add.s(1), add.s(2))
    inner.link(mul.s(2))

    sentence = refusal(chain(add.s(1, 1), inner))

    assert "has a callback (link)" in sentence


def test_the_link_of_a_group_is_refused() -> None:
    """Celery would call it after the first member."""
    members = group([add.s(1, 1), add.s(2, 2)])
    members.link(mul.s(2))

    sentence = refusal(members)

    assert sentence.startswith("group[0]: canvas_project.add has a callback (link)")


def test_a_skewed_group_is_refused() -> None:
    """skew() gives the members countdowns."""
    sentence = refusal(group(add.s(i, i) for i in range(3)).skew(start=1, stop=3))

    assert sentence.startswith("group[0]: canvas_project.add has a countdown")


def test_a_stamped_callback_is_refused() -> None:
    """A visitor with on_callback stamps callbacks, which a job does not have."""

    class Visitor(StampingVisitor):
        def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any]:
            return {"mark": 1}

        def on_callback(self, callback: Any, **headers: Any) -> dict[str, Any]:
            return {"called": 1}

    canvas = chain(linked(), add.s(1))
    canvas.stamp(Visitor())

    sentence = refusal(canvas)

    assert sentence.startswith("chain[0]: canvas_project.add has a callback (link)")


def test_a_frozen_chord_is_refused() -> None:
    """After freeze() the header tasks carry the body that Celery would call."""
    canvas = chord([add.s(1, 1), add.s(2, 2)], total.s())
    canvas.freeze()

    sentence = refusal(canvas)

    assert "is frozen as a part of a chord" in sentence


@pytest.mark.parametrize("value", [{1, 2}, object(), float("nan"), lambda: None, (i for i in range(3))])
def test_arguments_that_are_not_json_are_refused(value: object) -> None:
    """Positional, named, in a loop."""
    for canvas in (
        chain(add.s(1, 1), pack.s(value)),
        chain(add.s(1, 1), pack.s(value=[value])),
        chain(add.s(1, 1), pack.map([value])),
    ):
        sentence = refusal(canvas)

        assert sentence.startswith("chain[1]: ")
        assert "canvas_project.pack has arguments that are not JSON" in sentence


def test_what_celerys_own_json_carries_is_accepted(client: Client, runner: TaskRunner) -> None:
    """Dates, decimals and ids arrive as such, as they do in Celery's messages."""
    day = datetime(2024, 2, 29, 12, tzinfo=UTC)

    job = client.jobs().submit_canvas("dates", chain(pack.s(day), pack.s()))
    runner.run_all()

    assert client.jobs().result(job) == [[day]]


def test_input_over_the_limit_is_refused(client: Client, runner: TaskRunner) -> None:
    """The sentence says how large, how large it may be, and which setting changes that."""
    with pytest.raises(CanvasError, match=r"chain\[0\]: canvas_project.pack has an input of 1,048,.* bytes, more than"):
        client.jobs().submit_canvas("large", chain(pack.s("x" * 1024 * 1024), pack.s()))


def test_wrong_arguments_are_refused_as_celery_does() -> None:
    """For each task that is known here, counting the value that it will be handed."""
    missing = refusal(chain(add.s(1, 1), add.s()))
    too_many = refusal(chain(add.s(1, 1), group(add.s(1), add.s(1, 2))))

    assert missing.startswith("chain[1]: canvas_project.add cannot be called like this: ")
    assert too_many.startswith("chain[1].group[1]: canvas_project.add cannot be called like this: ")


def test_a_result_that_is_ignored_cannot_be_handed_on() -> None:
    """ignore_result in the class or the call, and a successor that is not immutable."""
    by_class = refusal(chain(unkept.s(1), pack.s()))
    by_option = refusal(chord([add.s(1, 1), kept.s(1).set(ignore_result=True)], total.s()))

    assert by_class == (
        "chain[0]: canvas_project.unkept ignores its result (ignore_result), which is taken by "
        "chain[1]: canvas_project.pack: write the latter as si(...)."
    )
    assert by_option.startswith("chord.header[1]: canvas_project.kept ignores its result")


def test_a_result_that_is_ignored_may_be_followed(client: Client, runner: TaskRunner) -> None:
    """By an immutable signature; as the last one it gives null."""
    job = client.jobs().submit_canvas("ignored", chain(unkept.s(1), pack.si(1), unkept.s()))
    runner.run_all()

    assert client.jobs().result(job) is None


def test_signature_types_of_ones_own_are_refused() -> None:
    """Nobody but their code knows what they mean."""

    @Signature.register_type()
    class Loop(Signature):
        """Runs for ever."""

    own = Loop("canvas_project.add", (1, 1), subtask_type="Loop", app=app)

    sentence = refusal(group([own, add.s(1, 1)]))
    after_json = refusal({"task": "celery.group", "kwargs": {"tasks": [json.loads(json.dumps(own))]}})

    assert sentence.startswith("group[0]: Loop is a signature type of your own")
    assert after_json == sentence


def test_classes_that_need_what_a_job_has_not_are_refused() -> None:
    """Expiry, another serializer, aborting."""
    other = Celery("other", set_as_current=False)
    expiring = other.task(name="expiring", expires=10, shared=False)(pack.run)
    pickled = other.task(name="pickled", serializer="pickle", shared=False)(pack.run)
    abortable = other.task(name="abortable", base=AbortableTask, shared=False)(pack.run)

    assert "expires=10" in refusal(expiring.s())
    assert "serializer='pickle'" in refusal(pickled.s())
    assert "AbortableTask" in refusal(abortable.s())


def test_what_has_no_end_is_refused() -> None:
    """Groups and loops over endless generators."""

    def calls() -> Iterator[Signature]:
        return (add.s(i, i) for i in itertools.count())

    pairs = zip(itertools.count(), itertools.count(), strict=True)

    for canvas in (group(calls()), add.starmap(pairs)):
        assert "100,000 members, or a generator without end" in refusal(canvas)


def test_more_tasks_than_a_job_may_have_are_refused() -> None:
    """Groups below the limit that are too many together."""
    large = {"task": "celery.group", "kwargs": {"tasks": [{"task": "a"}] * 60_000}}

    sentence = refusal({"task": "celery.chain", "kwargs": {"tasks": [large, large]}})

    assert sentence == "chain[1].group[40000]: a is one task too many: a canvas job has at most 100,000."


@pytest.mark.parametrize("canvas", [group([]), chain([]), group([group([]), chain([])]), {"task": "celery.chain"}])
def test_a_canvas_without_tasks_is_refused(canvas: Any) -> None:
    """There is nothing to run."""
    assert refusal(canvas) in (
        "The canvas has no tasks: there is nothing to run.",
        "this chain needs a list, not None.",
    )


@pytest.mark.parametrize("thing", [None, 3, "canvas_project.add", add, [add.s(1, 1)], {}, {"task": 3}, Client])
def test_what_is_no_signature_is_refused(thing: Any) -> None:
    """Also a task that was not called for its signature."""
    assert refusal(thing).startswith("expected a Celery signature")


def test_what_is_no_signature_inside_is_refused_by_path() -> None:
    """A task in a list, a chord without a body, chunks of size 0, and keyword arguments that nobody gets."""
    member = refusal({"task": "celery.group", "kwargs": {"tasks": [add.s(1, 1), "add"]}})
    no_body = refusal(chain(add.s(1, 1), chord([add.s(1), add.s(2)])))
    no_size = refusal(chain(add.s(1, 1), add.chunks([(1, 1)], 0)))
    no_list = refusal(add.starmap([1, 2]))
    more = refusal({"task": "celery.chain", "kwargs": {"tasks": [add.s(1, 1)], "debug": True}})

    assert member == "group[1]: expected a Celery signature, such as add.s(2, 2), not str 'add'."
    assert no_body == "chain[1]: this chord has no body: add one, or use a group."
    assert no_size == "chain[1]: chunks of canvas_project.add have the size 0: use a whole number of 1 or more."
    assert no_list == "starmap of canvas_project.add needs a list of arguments for each call, not 1."
    assert more == "this chain has keyword arguments ['debug'], which Celery hands to nobody."


def test_a_canvas_nested_too_deeply_is_refused() -> None:
    """Headers in headers, a hundred and more."""
    canvas = add.s(1, 1)
    for _ in range(150):
        canvas = {"task": "celery.chord", "kwargs": {"header": [canvas], "body": total.s()}}

    sentence = refusal(canvas)

    assert sentence.endswith("is nested more than 100 deep.")


def test_a_long_row_of_chords_is_not_deep() -> None:
    """Chords whose bodies hold the next chord are one sequence."""
    canvas: Any = add.s(1)
    for _ in range(1000):
        body = {"task": "celery.chain", "kwargs": {"tasks": [total.s(), canvas]}}
        canvas = {"task": "celery.chord", "kwargs": {"header": [add.s(1), add.s(2)], "body": body}}

    plan = plan_canvas({"task": "celery.chain", "kwargs": {"tasks": [add.s(1, 1), canvas]}})

    assert len(plan.wiring.leaves) == 1000 * 3 + 2


def test_an_unknown_cluster_is_refused(client: Client, runner: TaskRunner) -> None:
    """As for any other job."""
    with pytest.raises(NotFoundError, match="nowhere"):
        client.jobs().submit_canvas("lost", add.s(1, 1), "nowhere")


def test_a_shared_task_can_be_submitted() -> None:
    """Its signature carries no app of its own."""

    @shared_task(name="canvas.shared")
    def task(x: int) -> int:
        return x

    plan = plan_canvas(signature("canvas.shared", args=(1,)))

    assert plan.wiring.leaves[0].task == "canvas.shared"
