"""An imitation of the Copernicus Data Space on this machine: a listing of Sentinel-2 products, and their bucket.

The entries of the listing are real STAC items, whose files are said to lie where Copernicus keeps its products. The
pixels are those of another scene, a Landsat image of the Bahamas: a real product has about a gigabyte.
"""

import json
import logging
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import rasterio
from moto.server import ThreadedMotoServer
from PIL import Image

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
BUCKET = "eodata"
KEY, SECRET = "imitated-key", "imitated-secret"


class CopernicusImitation:
    """Starts with the nine Sentinel-2 products of one orbit strip over Africa on 2020-06-06.

    Attributes:
        listing: The path of the STAC items, where the real provider has the URL of a search.
        endpoint_url: Of the S3 service, on the loopback address; it takes any credentials.
        folder: A temporary folder, which goes when the imitation is stopped.
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="copernicus-imitation-")
        self.folder = Path(self._folder.name)
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it would print each request
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint_url = f"http://{host}:{port}"
        items = json.loads((DATA / "stac" / "sentinel-2-l2a-africa-2020-06-06.json").read_text())["features"]
        self.listing = self.folder / "listing.json"
        self.listing.write_text(
            json.dumps({"type": "FeatureCollection", "features": [_listed(each) for each in items]})
        )
        self._fill(items)

    def stop(self) -> None:
        """Stop the server and remove the folder."""
        self._server.stop()
        self._folder.cleanup()

    def _fill(self, items: list[dict[str, Any]]) -> None:
        s3 = boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )
        s3.create_bucket(Bucket=BUCKET)
        with rasterio.open(DATA / "raster" / "RGB.byte.tif") as scene:
            pixels = scene.read()[:, ::2, ::2]
        for item in items:
            for name, content in _files(item, pixels, self.folder):
                s3.put_object(Bucket=BUCKET, Key=f"{_place(item)}/{name}", Body=content)
        s3.close()


def _place(item: dict[str, Any]) -> str:
    """Return the product's folder in the bucket."""
    properties = item["properties"]
    return f"Sentinel-2/MSI/L2A/{properties['datetime'][:10].replace('-', '/')}/{properties['s2:product_uri']}"


def _listed(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item with its files in the bucket, as JPEG 2000."""
    name = item["properties"]["s2:product_uri"]
    assets = {
        key: asset | {"href": f"s3://{BUCKET}/{_place(item)}{asset['href'].partition(name)[2]}".replace(".tif", ".jp2")}
        for key, asset in item["assets"].items()
        if f"/{name}/" in asset["href"]
    }
    return item | {"assets": assets}


def _files(item: dict[str, Any], pixels: Any, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a product: its manifest, its quicklook, and its image in true colour."""
    name = item["properties"]["s2:product_uri"]
    yield "manifest.safe", f"<xfdu><granule>{name}</granule></xfdu>\n".encode()
    quicklook = BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(quicklook, "JPEG", quality=90)
    yield f"{name.removesuffix('.SAFE')}-ql.jpg", quicklook.getvalue()
    visual = item["assets"]["visual"]
    bands, height, width = pixels.shape
    west, south, east, north = visual["proj:bbox"]
    path = folder / "image.jp2"
    with rasterio.open(
        path,
        "w",
        driver="JP2OpenJPEG",
        count=bands,
        height=height,
        width=width,
        dtype="uint8",
        crs=f"EPSG:{item['properties']['proj:epsg']}",
        transform=rasterio.Affine((east - west) / width, 0, west, 0, (south - north) / height, north),
        QUALITY=100,
        REVERSIBLE=True,
    ) as image:
        image.write(pixels)
    yield visual["href"].partition(f"{name}/")[2].replace(".tif", ".jp2"), path.read_bytes()
    path.unlink()
