"""The record of each product in a cache: a file that says who has put it there, so that nothing else is removed."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tilebox_celery.storage.names import key_of


@dataclass(frozen=True)
class Records:
    """The records of all providers in one folder."""

    folder: Path
    provider: str
    """Whose records are written, and returned by `mine`."""

    def write(self, path: PurePosixPath) -> None:
        """Write down that a product is ours."""
        record = self._file(path)
        fresh = record.with_suffix(".new")
        try:
            fresh.write_text(json.dumps({"provider": self.provider, "path": str(path)}), encoding="utf-8")
            fresh.replace(record)
        except OSError:  # such as a full disk
            fresh.unlink(missing_ok=True)
            raise

    def has(self, path: PurePosixPath) -> bool:
        """Tell whether some client has put the product there, or has begun to."""
        return self._file(path).is_file()

    def remove(self, path: PurePosixPath) -> None:
        """Forget a product."""
        self._file(path).unlink(missing_ok=True)

    def mine(self) -> list[PurePosixPath]:
        """Return the paths of all products of this provider, finished or not."""
        return [path for provider, path in self._all() if provider == self.provider]

    def below(self, path: PurePosixPath) -> bool:
        """Tell whether there are products inside of this path."""
        return any(path in each.parents for _, each in self._all())

    def around(self, path: PurePosixPath) -> PurePosixPath | None:
        """Return the product inside of which this path lies, or None."""
        return next((each for each in path.parents if self.has(each)), None)

    def _file(self, path: PurePosixPath) -> Path:
        return self.folder / f"{key_of(path)}.json"

    def _all(self) -> list[tuple[str, PurePosixPath]]:
        found = []
        try:
            files = sorted(self.folder.iterdir())  # other than glob() it tells what may not be read
        except FileNotFoundError:
            return []
        for file in [file for file in files if file.suffix == ".json"]:
            with suppress(OSError, ValueError, KeyError, TypeError):
                record = json.loads(file.read_text(encoding="utf-8"))
                path = PurePosixPath(record["path"])
                # A record names itself: one that was tampered with must not make us remove something else.
                if not path.is_absolute() and ".." not in path.parts and key_of(path) == file.stem:
                    found.append((str(record["provider"]), path))
        return found
