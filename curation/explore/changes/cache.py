"""Where DVC has the bytes of a file, by their MD5: its cache, or a remote that they are fetched from."""

import json
import sys
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Any

from curation.core.errors import CurationError
from curation.core.text import one_line, say_count


class Cache:
    """DVC's cache of the project here. Where there is no such project it is empty."""

    def __init__(self) -> None:
        self.way_out = "`dvc fetch --all-commits` brings what a remote has"

    @cached_property
    def repo(self) -> Any:
        """DVC's own object; None outside a project of DVC's."""
        from dvc.exceptions import NotDvcRepoError
        from dvc.repo import Repo

        try:
            return Repo()
        except NotDvcRepoError:
            self.way_out = "there is no DVC here: `dvc init`, then `dvc fetch --all-commits`"
            return None

    def path(self, md5: str) -> Path | None:
        """Where the file lies; None where it does not."""
        if self.repo is None:
            return None
        file = Path(self.repo.cache.local.oid_to_path(md5))
        return file if file.is_file() else None

    def list_folder(self, md5: str) -> dict[str, str] | None:
        """The names of the files of a folder, which is fetched if need be, and their MD5; None where nobody has it."""
        if self.path(md5) is None:
            self.fetch({md5})
        file = self.path(md5)
        try:
            return None if file is None else {entry["relpath"]: entry["md5"] for entry in json.loads(file.read_bytes())}
        except (ValueError, KeyError, TypeError):
            raise CurationError(f"{file}: DVC's cache is damaged here; delete it, and `dvc fetch` again") from None

    def fetch(self, wanted: Collection[str | None]) -> None:
        """Bring what the default remote has of these, if there is one. What it has not stays away."""
        if not wanted or self.repo is None or not self.repo.config["core"].get("remote"):
            return
        from dvc.exceptions import DvcException
        from dvc_data.hashfile.hash_info import HashInfo

        print(f"fetching {say_count(len(wanted), 'file')} from DVC's remote", file=sys.stderr, flush=True)
        try:
            self.repo.cloud.pull({HashInfo("md5", md5) for md5 in wanted if md5})
        except (DvcException, OSError) as error:
            self.way_out = f"the remote says: {one_line(str(error))}"

    def hash(self, file: Path) -> str | None:
        """The MD5 of a file of the working tree, which DVC remembers until the file is written again; None outside a
        project of DVC's."""
        if self.repo is None:
            return None
        from dvc.fs import localfs
        from dvc_data.hashfile.hash import hash_file

        return str(hash_file(str(file.absolute()), localfs, "md5", state=self.repo.state)[1].value)
