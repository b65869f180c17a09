"""``tilebox-celery cluster``: where tasks may run."""

from typing import Annotated, Any

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.framework import ask, command, noun
from tilebox_celery.cli.opening import open_client
from tilebox_celery.errors import ArgumentError, TileboxCeleryError
from tilebox_celery.model.cluster import Cluster

app = noun("List, create, change and delete clusters, where tasks run.")

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The slug of the cluster.")]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="A new display name.")]
Description = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="What it is for.")]


@command(app, "list")
def list_clusters() -> None:
    """List all clusters, the oldest first."""
    clusters = open_client().clusters().all()
    if output.mode.json:
        output.show_document([document(each) for each in clusters])
    elif not clusters:
        output.say("There is no cluster yet: create one with 'tilebox-celery cluster create NAME'.")
    else:
        rows = [(each.slug, each.display_name, each.description) for each in clusters]
        output.show(output.table(("SLUG", "NAME", "DESCRIPTION"), rows, cut="DESCRIPTION"))


@command(app, "get")
def get_cluster(slug: Slug) -> None:
    """Show one cluster."""
    _show(open_client().clusters().find(slug))


@command(app, "create", short_help="Create a cluster.")
def create_cluster(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The display name.")],
    slug: Annotated[
        str | None, typer.Option("--slug", metavar="SLUG", help="How code calls it; by default drawn from the name.")
    ] = None,
    description: Description = None,
    exist_ok: Annotated[bool, typer.Option("--exist-ok", help="Leave a cluster with this slug as it is.")] = False,
) -> None:
    """Create a cluster; the first one of a ledger becomes its default."""
    if exist_ok and slug is None:
        raise ArgumentError("--exist-ok needs --slug, by which the cluster is found.")
    clusters = open_client().clusters()
    try:
        made = clusters.create(name, description, slug)
    except ArgumentError:
        found = [each for each in clusters.all() if exist_ok and each.slug == slug]
        if not found:
            raise  # something else is wrong with the name or the slug
        made = found[0]
    _show(made)


@command(app, "update", short_help="Change name or description.")
def update_cluster(slug: Slug, name: Name = None, description: Description = None) -> None:
    """Change the name or the description of a cluster."""
    if name is None and description is None:
        raise ArgumentError("Nothing to change: give --name or --description.")
    _show(open_client().clusters().update(slug, name, description))


@command(app, "delete", short_help="Delete a cluster that has nothing to do.")
def delete_cluster(slug: Slug, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Delete a cluster in which nothing is queued or running."""
    clusters = open_client().clusters()
    found = clusters.find(slug)
    ask(f"Delete cluster {found.slug} ({found.display_name})", yes)
    try:
        clusters.delete(slug)
    except ArgumentError as error:  # it has tasks: nothing is wrong with the words of the command
        raise TileboxCeleryError(str(error)) from error
    if output.mode.json:
        output.show_document({"slug": found.slug, "deleted": True})
    else:
        output.say(f"Deleted cluster {found.slug}.")


def document(cluster: Cluster) -> dict[str, Any]:
    """Return a cluster as JSON has it."""
    return {
        "slug": cluster.slug,
        "display_name": cluster.display_name,
        "description": cluster.description,
        "deletable": cluster.deletable,
    }


def _show(cluster: Cluster) -> None:
    if output.mode.json:
        output.show_document(document(cluster))
        return
    rows = [("Slug", cluster.slug), ("Name", cluster.display_name)]
    output.show(output.facts([*rows, *([("Description", cluster.description)] if cluster.description else [])]))
