"""``tilebox-celery dataset delete``: a collection, or a whole dataset."""

from typing import Annotated, Any

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.dataset import Slug
from tilebox_celery.cli.framework import ask, command
from tilebox_celery.cli.opening import open_datasets
from tilebox_celery.errors import ArgumentError


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "delete", short_help="Delete a collection with its datapoints, or a whole dataset.")(delete)


def delete(
    slug: Slug,
    collection: Annotated[
        str | None, typer.Argument(metavar="COLLECTION", help="The collection to delete; without it, the dataset.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Delete the datapoints of the dataset, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a collection with all its datapoints, or a dataset; one with datapoints only with --force."""
    client = open_datasets()
    dataset = client.dataset(slug)
    document: dict[str, Any] = {"dataset": slug}
    if collection is None:
        infos = [each.info() for each in dataset.collections().values()]
        held = sum(each.count or 0 for each in infos)
        if held and not force:
            raise ArgumentError(
                f"{slug} has {output.counted(held, 'datapoint')}: --force deletes them with the dataset."
            )
        ask(
            f"Delete {slug} with {output.counted(len(infos), 'collection')} and {output.counted(held, 'datapoint')}",
            yes,
        )
        document["deleted"] = client.delete_dataset(slug, force=force)
    else:
        info = dataset.collection(collection).info()
        ask(f"Delete collection {collection} of {slug} with {output.counted(info.count or 0, 'datapoint')}", yes)
        dataset.delete_collection(collection)
        document |= {"collection": collection, "deleted": info.count}
    if output.mode.json:
        output.show_document(document)
    else:
        what = slug if collection is None else f"collection {collection} of {slug}"
        output.say(f"Deleted {what} with {output.counted(document['deleted'], 'datapoint')}.")
