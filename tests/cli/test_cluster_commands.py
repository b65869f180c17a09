"""Clusters on the command line."""

from tests.cli.program import Cli
from tests.cli.workflow import Leaf
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.workflows import Client


def test_cluster_is_created_changed_and_deleted(cli: Cli, client: Client) -> None:
    """The four verbs do to a cluster what they say."""
    made = cli("cluster", "create", "Docker", "--slug", "docker", "--description", "for the stack", "--json").document
    changed = cli("cluster", "update", "docker", "--name", "Compose", "--json").document
    found = cli("cluster", "get", "docker", "--json").document
    deleted = cli("cluster", "delete", "docker", "--yes")

    assert made == {"slug": "docker", "display_name": "Docker", "description": "for the stack", "deletable": True}
    assert changed == found == {**made, "display_name": "Compose"}
    assert deleted.code == 0
    assert client.clusters().all() == []


def test_existing_cluster_is_left_alone_if_that_is_ok(cli: Cli, client: Client) -> None:
    """With --exist-ok the same command can run again; without it the slug is taken."""
    create = ["cluster", "create", "Docker", "--slug", "docker"]
    cli(*create)

    again, refused = cli("cluster", "create", "Other", "--slug", "docker", "--exist-ok"), cli(*create)

    assert (again.code, client.clusters().find("docker").display_name) == (0, "Docker")
    assert refused.code == 2
    assert refused.stderr.startswith("The cluster slug 'docker' is taken")


def test_busy_cluster_is_not_deleted(cli: Cli, client: Client, cluster: Cluster) -> None:
    """A cluster with queued tasks stays, and the sentence says how many there are."""
    client.jobs().submit("queued", [Leaf(1), Leaf(2)])

    done = cli("cluster", "delete", cluster.slug, "--yes")

    assert done.code == 1
    assert "has 2 queued and 0 running tasks" in done.stderr
    assert client.clusters().find(cluster).slug == cluster.slug


def test_empty_list_says_what_to_do(cli: Cli) -> None:
    """Without a cluster, stdout stays empty and stderr names the command."""
    done = cli("cluster", "list")

    assert (done.code, done.stdout) == (0, "")
    assert "tilebox-celery cluster create" in done.stderr
