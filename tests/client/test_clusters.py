"""Clusters: create, list, find, change, delete, and which one is the default."""

import re
from typing import Any

import pytest
from slots_by_hand import MakeSlot

from tilebox_celery.client.client import Client
from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.workflows import Cluster, Task


class Tile(Task):
    pass


@pytest.mark.clause("1.7-1", "1.7-2")
def test_create_draws_a_slug(client: Client) -> None:
    """A cluster's slug is its lower-cased name, a dash and 14 letters and digits, and it prints as documented."""
    cluster = client.clusters().create("Testing")

    assert re.fullmatch(r"testing-[A-Za-z0-9]{14}", cluster.slug)
    assert repr(cluster) == f"Cluster(slug='{cluster.slug}', display_name='Testing')"


@pytest.mark.clause("1.7-3")
def test_all_find_and_delete(client: Client) -> None:
    """Clusters are listed in the order of creation, found by slug or object, and gone after delete."""
    clusters = client.clusters()
    first, second = clusters.create("a"), clusters.create("b")

    listed = clusters.all()
    found = clusters.find(second.slug), clusters.find(second)
    clusters.delete(first.slug)
    clusters.delete(second)

    assert listed == [first, second]
    assert found == (second, second)
    assert clusters.all() == []


@pytest.mark.clause("1.7-4")
def test_unknown_cluster_is_not_found(client: Client, cluster: Cluster) -> None:
    """Every call with an unknown or deleted cluster raises NotFoundError that names it."""
    clusters = client.clusters()
    deleted = clusters.create("deleted")
    clusters.delete(deleted)
    calls: list[Any] = [clusters.find, clusters.delete, lambda slug: clusters.update(slug, name="x"), client.runner]

    for call in calls:
        for slug in ("nowhere", deleted.slug, "a\0b"):
            with pytest.raises(NotFoundError, match=re.escape(f"No such cluster {slug!r}: create one")):
                call(slug)


@pytest.mark.parametrize("slug", [7, "", None])
def test_what_is_no_cluster_is_refused(client: Client, slug: Any) -> None:
    """Something that is neither a cluster nor a slug is refused."""
    with pytest.raises(ArgumentError, match="Expected a cluster or its slug"):
        client.clusters().find(slug)


@pytest.mark.clause("2.clusters-1", "2.clusters-3")
def test_description_and_own_slug(client: Client) -> None:
    """A cluster can be created with a description and a slug of one's own."""
    made = client.clusters().create("GPU", description="two cards", slug="gpu.1")

    found = client.clusters().find("gpu.1")
    assert (found.slug, found.display_name, found.description, found.deletable) == ("gpu.1", "GPU", "two cards", True)
    assert made == found


@pytest.mark.parametrize("slug", ["", "-a", "a b", "a/b", "ü", "x" * 129])
def test_bad_slugs_are_refused(client: Client, slug: str) -> None:
    """A slug with other characters is refused, and nothing is created."""
    with pytest.raises(ArgumentError, match="A cluster slug has 1 to 128 letters"):
        client.clusters().create("name", slug=slug)

    assert client.clusters().all() == []


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 129])
def test_bad_names_are_refused(client: Client, cluster: Cluster, name: str) -> None:
    """A name that cannot be shown is refused, by create and by update."""
    with pytest.raises(ArgumentError, match="A cluster needs a printable name"):
        client.clusters().create(name)
    with pytest.raises(ArgumentError, match="A cluster needs a printable name"):
        client.clusters().update(cluster, name=name)

    assert client.clusters().all() == [cluster]


@pytest.mark.parametrize("name", [5, b"gpu", ["gpu"]])
def test_names_that_are_no_text_are_refused(client: Client, cluster: Cluster, name: Any) -> None:
    """A name, or a slug, that is no text is refused by one sentence, by create and by update."""
    with pytest.raises(ArgumentError, match="The name of a cluster is a text, not"):
        client.clusters().create(name)
    with pytest.raises(ArgumentError, match="The name of a cluster is a text, not"):
        client.clusters().update(cluster, name=name)
    with pytest.raises(ArgumentError, match="A cluster slug has 1 to 128 letters"):
        client.clusters().create("name", slug=name)

    assert client.clusters().all() == [cluster]


def test_taken_slug_is_refused(client: Client) -> None:
    """A slug that is taken is refused; that of a deleted cluster may be used again."""
    clusters = client.clusters()
    clusters.create("first", slug="gpu")

    with pytest.raises(ArgumentError, match="slug 'gpu' is taken"):
        clusters.create("second", slug="gpu")
    clusters.delete("gpu")
    clusters.create("third", slug="gpu")

    assert [(each.slug, each.display_name) for each in clusters.all()] == [("gpu", "third")]


@pytest.mark.clause("2.clusters-2")
def test_update_changes_what_is_given(client: Client) -> None:
    """update changes name or description, and leaves the other as it is."""
    clusters = client.clusters()
    made = clusters.create("old", description="text")

    renamed = clusters.update(made, name="new")
    described = clusters.update(made.slug, description="")

    assert (renamed.display_name, renamed.description) == ("new", "text")
    assert (described.display_name, described.description) == ("new", "")
    assert clusters.find(made) == described


@pytest.mark.clause("2.clusters-4")
def test_first_cluster_is_the_default(client: Client) -> None:
    """The first cluster is the default, until it is deleted; then the next one that is created is."""
    clusters = client.clusters()
    with pytest.raises(NotFoundError, match="no default one"):
        clusters.default()
    first, second = clusters.create("first"), clusters.create("second")
    defaults = [clusters.default()]
    clusters.delete(first)
    with pytest.raises(NotFoundError, match="no default one"):
        clusters.default()
    third = clusters.create("third")
    defaults.append(clusters.default())

    assert defaults == [first, third]
    assert clusters.all() == [second, third]


@pytest.mark.clause("1.7-6", "2.clusters-3")
def test_cluster_with_open_tasks_cannot_be_deleted(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """A cluster with queued or running tasks says how many and stays; afterwards it can be deleted."""
    client.jobs().submit("job", [Tile() for _ in range(3)])
    slot = make_slot("Tile")
    task = slot.claim()

    with pytest.raises(ArgumentError, match="has 2 queued and 1 running task: let their jobs complete"):
        client.clusters().delete(cluster)
    stays = client.clusters().find(cluster)
    for _ in range(2):
        slot.compute(task)
        task = slot.claim()
    slot.compute(task)
    client.clusters().delete(cluster)

    assert not stays.deletable
    assert client.clusters().all() == []


def test_cluster_of_a_canceled_job_stays_until_the_job_completes(
    client: Client, cluster: Cluster, make_slot: MakeSlot
) -> None:
    """A canceled job can be retried, so its queued tasks keep their cluster; the refusal says what to do."""
    job = client.jobs().submit("job", Tile())
    client.jobs().cancel(job)

    with pytest.raises(ArgumentError, match=r"1 queued .* jobs\.retry lets a canceled or failed one go on"):
        client.clusters().delete(cluster)
    client.jobs().retry(job)
    slot = make_slot("Tile")
    slot.compute(slot.claim())

    assert client.jobs().find(job).completed
    client.clusters().delete(cluster)


def test_deleted_cluster_stays_readable(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """Jobs of a deleted cluster are still shown with it."""
    job = client.jobs().submit("job", Tile())
    slot = make_slot("Tile")
    slot.compute(slot.claim())
    client.clusters().delete(cluster)

    assert [task.cluster for task in client.jobs().tasks(job)] == [cluster.slug]


def test_another_default_cluster_is_noticed(
    client: Client, cluster: Cluster, ledger_url: str, make_slot: MakeSlot
) -> None:
    """A client that has submitted to the default cluster uses the new one as soon as somebody else changed it."""
    elsewhere = Client(url=ledger_url)
    client.jobs().submit("before", Tile())
    slot = make_slot("Tile")
    slot.compute(slot.claim())
    elsewhere.clusters().delete(cluster)
    second = elsewhere.clusters().create("second")

    job = client.jobs().submit("after", Tile())

    elsewhere.close()
    assert [task.cluster for task in client.jobs().tasks(job)] == [second.slug]
