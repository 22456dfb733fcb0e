"""Members of a ZIP archive, also those that are packed with zstd, which Python's zipfile reads from 3.14 on."""

import struct
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

from curation.core.errors import CurationError

ZSTD = 93  # the number of the method, in a member's header
HEADER = struct.Struct("<4s5H3L2H")  # of a member: what stands before its name
MOST_BYTES = 2**30  # of a member


class Archive:
    """The members of an archive by name; of two of one name the last, which took the other's place."""

    def __init__(self, path: Path) -> None:
        """Raises CurationError if `path` is no whole archive: its list of members stands at its end."""
        self.path = path
        try:
            with ZipFile(path) as archive:
                self.members = {one.filename: one for one in archive.infolist()}
        except BadZipFile:
            raise CurationError(f"{path}: is no whole archive, so it was cut off; copy it again") from None

    def read(self, name: str) -> bytes:
        """What a member holds. Raises CurationError if it is damaged, or larger than a log's members are."""
        member = self.members[name]
        if member.file_size > MOST_BYTES:
            raise CurationError(f"{self.path}: {name} has {member.file_size:,} bytes; more than 1 GiB are not read")
        try:
            if member.compress_type != ZSTD:
                with ZipFile(self.path) as archive:
                    return archive.read(member)
            with self.path.open("rb") as file:
                return _read_zstd(file, member)
        except (BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
            raise CurationError(f"{self.path}: {name} cannot be read: {error}; copy the file again") from None


def _read_zstd(file: BinaryIO, member: ZipInfo) -> bytes:
    import zlib

    import pyarrow as pa

    file.seek(member.header_offset)
    *_, name, extra = HEADER.unpack(file.read(HEADER.size))
    file.seek(name + extra, 1)
    packed = file.read(member.compress_size)
    body: bytes = pa.Codec("zstd").decompress(packed, decompressed_size=member.file_size, asbytes=True)
    if zlib.crc32(body) != member.CRC:
        raise ValueError("its checksum is another")
    return body
