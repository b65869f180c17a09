"""``tilebox-celery dataset``: list, describe, make and fill datasets."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.dataset_fields import read_field_options, with_new
from tilebox_celery.cli.dataset_sources import is_listing, open_source
from tilebox_celery.cli.dataset_views import dataset_document, field_rows, info_document
from tilebox_celery.cli.framework import command, noun
from tilebox_celery.cli.opening import open_datasets
from tilebox_celery.errors import ArgumentError, NotFoundError

if TYPE_CHECKING:
    from tilebox_celery.datasets.schema import Schema
    from tilebox_celery.datasets.sync.client import Client
    from tilebox_celery.datasets.sync.dataset import Dataset

_SHOWN = 10
"""Sentences on products that were left out."""
app = noun("Keep, query and export satellite metadata in datasets.")

Slug = Annotated[str, typer.Argument(metavar="DATASET", help="Its dotted name, such as open_data.umbra.sar.")]
Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A file (.json, .ndjson, .geojson, .parquet, .nc), the URL of a STAC API search, or, for open data, "
        "s3://BUCKET/PATH or a folder with products.",
    ),
]


@command(app, "list")
def list_datasets() -> None:
    """List all datasets by name."""
    found = sorted(open_datasets().datasets(), key=lambda each: each.slug)
    if output.mode.json:
        output.show_document([dataset_document(each) for each in found])
    elif not found:
        output.say("There is no dataset yet: 'tilebox-celery dataset create --help' says how to make one.")
    else:
        rows = [(each.slug, str(each.schema.kind), each.summary) for each in found]
        output.show(output.table(("DATASET", "KIND", "SUMMARY"), rows, cut="SUMMARY"))


@command(app, "get", short_help="Describe a dataset: its fields and collections.")
def get_dataset(slug: Slug) -> None:
    """Describe a dataset: what it is, its fields, and what its collections hold."""
    dataset = open_datasets().dataset(slug)
    infos = [each.info() for each in dataset.collections().values()]
    if output.mode.json:
        output.show_document(dataset_document(dataset) | {"collections": [info_document(each) for each in infos]})
        return
    output.show(output.facts([("Dataset", dataset.slug), ("Name", dataset.name), ("Kind", str(dataset.schema.kind))]))
    if dataset.description:
        output.show(f"\n{output.clean(dataset.description)}")
    output.show("")
    output.show(output.table(("FIELD", "TYPE", "DESCRIPTION"), field_rows(dataset), wrap="DESCRIPTION"))
    output.show("")
    if not infos:
        output.say(f"No collection yet: 'tilebox-celery dataset ingest {slug} SOURCE --create -c NAME' makes one.")
        return
    rows = [
        (each.name, "" if each.availability is None else str(each.availability), f"{each.count or 0:,}")
        for each in infos
    ]
    output.show(output.table(("COLLECTION", "AVAILABILITY", "DATAPOINTS"), rows, right=("DATAPOINTS",)))


@command(app, "create", short_help="Make a dataset, or add fields to one.")
def create_dataset(
    slug: Slug,
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME:TYPE", help="A field, such as cloud_cover:double or bands:list[int64]."),
    ] = None,
    like: Annotated[
        str | None, typer.Option("--like", metavar="SOURCE", help="A file or URL whose fields it shall have.")
    ] = None,
    open_data: Annotated[
        bool, typer.Option("--open-data", help="Take fields and description from the catalog of open data.")
    ] = False,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", metavar="KIND", help="spatiotemporal (that of a new one), or temporal without a geometry."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Its name for people.")] = None,
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="What it is; Markdown.")
    ] = None,
) -> None:
    """Make a dataset, or add fields to one that is there; a change that would lose data is refused."""
    if sum((bool(fields), like is not None, open_data)) > 1:
        raise ArgumentError("Give one of --field, --like and --open-data: each says what the fields are.")
    client = open_datasets()
    if open_data:
        from tilebox_celery.datasets.sync.open_data import create_open_dataset

        dataset = create_open_dataset(client, slug)
    else:
        new = read_field_options(fields or [])
        if like is not None:
            from tilebox_celery.datasets.ingesting import infer

            schema = infer(like)
            new, kind = schema.fields, kind or str(schema.kind)
        found = _find(client, slug)
        present = None if found is None else found.schema
        kind = kind or ("spatiotemporal" if present is None else present.kind)
        dataset = client.create_or_update_dataset(
            kind, slug, with_new(present, new), name=name, description=description
        )
    if output.mode.json:
        output.show_document(dataset_document(dataset))
    else:
        shown = output.counted(len(dataset.fields), "field")
        output.say(f"{dataset.slug} has {shown}: 'tilebox-celery dataset get {slug}' shows what it is.")


@command(app, "ingest", short_help="Store the datapoints of a file, a STAC API or a provider's storage.")
def ingest(
    slug: Slug,
    source: Source,
    collection: Annotated[
        str | None,
        typer.Option(
            "--collection",
            "-c",
            metavar="NAME",
            help="That gets them; open data knows the collections of its products.",
        ),
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make the collection, and the dataset with the source's fields, if needed.")
    ] = False,
    endpoint_url: Annotated[
        str | None, typer.Option("--endpoint-url", metavar="URL", help="The S3 service, if it is not the provider's.")
    ] = None,
) -> None:
    """Store datapoints, all of a collection's or none; what is there already is not stored twice."""
    from tilebox_celery.datasets.checked_tables import checked
    from tilebox_celery.datasets.ingesting import read_datapoints
    from tilebox_celery.datasets.sync.open_data import is_open_dataset, read_open_tables

    if collection is None and not is_open_dataset(slug):
        raise ArgumentError(f"--collection is missing: {slug} is no open data, which knows where its products belong.")
    readable = open_source(slug, source, endpoint_url)
    if collection is not None and is_listing(readable):
        raise ArgumentError(f"--collection cannot be chosen: each product of {source} belongs to the one of its kind.")
    client = open_datasets()
    dataset = _find(client, slug)
    if dataset is None and not create:
        raise NotFoundError(f"No such dataset '{slug}': '--create' makes it.")
    schema = _new_schema(slug, readable) if dataset is None else dataset.schema
    skipped: list[str] = []
    if collection is None:
        parts = read_open_tables(slug, readable, skip=skipped.append, show_progress=draws())
    elif dataset is not None and collection in dataset.collections():
        parts = {collection: readable}
    elif create:
        parts = {collection: checked(read_datapoints(readable, schema))}
    else:
        raise NotFoundError(f"No such collection {collection}: '--create' makes it.")
    # What is missing is made now that the source was read: one that cannot be used leaves nothing behind.
    dataset = dataset or _create(client, slug, schema)
    told = [_ingest_part(dataset, name, part) for name, part in parts.items()]
    for sentence in skipped[:_SHOWN]:
        output.say(f"Skipped: {sentence}")
    if len(skipped) > _SHOWN:
        output.say(f"Skipped: {len(skipped) - _SHOWN:,} more.")
    if output.mode.json:
        output.show_document(told)
    elif not told:
        output.say(f"There is nothing in {source} that {slug} could hold.")
    for each in [] if output.mode.json else told:
        output.say(
            f"{each['collection']}: {output.counted(each['read'], 'datapoint')} read, {each['stored']:,} of them new."
        )


def _ingest_part(dataset: "Dataset", name: str, data: Any) -> dict[str, Any]:
    target = dataset.get_or_create_collection(name)
    before = target.info().count or 0
    ids = target.ingest(data, show_progress=draws())
    stored = (target.info().count or 0) - before
    return {"dataset": dataset.slug, "collection": name, "read": len(ids), "stored": stored}


def _new_schema(slug: str, source: Any) -> "Schema":
    from tilebox_celery.datasets.ingesting import infer
    from tilebox_celery.datasets.open_data import find_open_dataset
    from tilebox_celery.datasets.sync.open_data import is_open_dataset

    return find_open_dataset(slug).schema if is_open_dataset(slug) else infer(source)


def _create(client: "Client", slug: str, schema: "Schema") -> "Dataset":
    from tilebox_celery.datasets.sync.open_data import create_open_dataset, is_open_dataset

    if is_open_dataset(slug):
        return create_open_dataset(client, slug)
    return client.create_or_update_dataset(schema.kind, slug, schema.fields)


def _find(client: "Client", slug: str) -> "Dataset | None":
    try:
        return client.dataset(slug)
    except NotFoundError:
        return None


def draws() -> bool:
    """Tell whether a progress bar can be seen."""
    return output.stderr().is_terminal and not output.mode.json
