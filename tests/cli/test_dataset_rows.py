"""The table of `dataset query` can be read, however wide the terminal is."""

import numpy as np
import pandas as pd
import pytest

from tilebox_celery.cli.dataset_rows import shown_rows
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema

ID = "0172a26a-3d50-a9d5-d239-2ef0140c0efe"
SCHEMA = Schema(
    DatasetKind.SPATIOTEMPORAL,
    (
        Field("granule_name", FieldType.STRING),
        Field("copernicus_id", FieldType.UUID),
        Field("published", FieldType.TIMESTAMP),
        Field("tile", FieldType.STRING),
        Field("cloud_cover", FieldType.DOUBLE),
    ),
)
FRAME = pd.DataFrame(
    {
        "time": np.array(["2020-06-11T08:06:11.024"], dtype="datetime64[ns]"),
        "id": [ID],
        "granule_name": ["S2A_MSIL2A_20200611T080611_N0212_R078_T35MNM_20200826T230619.SAFE"],
        "copernicus_id": [""],
        "published": [pd.NaT],
        "tile": ["35MNM"],
        "cloud_cover": [6.5],
    }
)


@pytest.mark.parametrize(
    ("width", "where", "columns"),
    [
        (60, [], ["time", "id"]),
        (80, [], ["time", "id", "granule_name"]),
        (200, [], ["time", "id", "granule_name", "tile", "cloud_cover"]),
        (80, ["cloud_cover < 20"], ["time", "id", "cloud_cover"]),
        (200, ["nope < 20"], ["time", "id", "granule_name", "tile", "cloud_cover"]),
    ],
)
def test_a_terminal_shows_what_it_has_room_for(width: int, where: list[str], columns: list[str]) -> None:
    """Time and id are whole, columns without a value are left out, and fields of conditions come first."""
    names, rows = shown_rows(FRAME, SCHEMA, where, width)

    assert names == columns
    assert rows[0][:2] == ["2020-06-11T08:06:11.024", ID]
    assert "None" not in rows[0]
