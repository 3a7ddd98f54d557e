"""What is in the archive of a chart.

Archives come from people who may mean harm: they are read in memory, up to a size, and names in them lead
nowhere, because nothing is unpacked to a disk.
"""

import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping

LARGEST = 32 * 1024 * 1024
"""Bytes of an archive's contents. Helm reads up to 100 MB."""

MOST_FILES = 10_000

_WANTED = frozenset({"Chart.yaml", "requirements.yaml", "values.yaml"})


def files_of_archive(content: bytes, *, whole: bool = False) -> Mapping[str, bytes]:
    """The files that say a chart's name, its dependencies and its values, by their paths from its folder on.

    All files of the chart if `whole`. Empty where the archive cannot be read at a fair price.
    """
    try:
        return {path: file for path, file in _files(_unpacked(content), whole=whole) if _is_within(path)}
    except (tarfile.TarError, zlib.error, ValueError, EOFError):
        return {}


def _unpacked(content: bytes) -> bytes:
    inflate = zlib.decompressobj(wbits=31)
    unpacked = inflate.decompress(content, LARGEST)
    if not inflate.eof:
        raise ValueError("too large, or cut off")
    return unpacked


def _is_within(path: str) -> bool:
    return "\0" not in path and not {"", ".", ".."} & set(path.split("/"))


def _files(content: bytes, *, whole: bool) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for number, member in enumerate(archive):
            if number >= MOST_FILES:
                raise ValueError("too many files")
            _, _, path = member.name.removeprefix("./").partition("/")
            plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and member.sparse is None
            if plain and (whole or path.rpartition("/")[2] in _WANTED):
                file = archive.extractfile(member)
                if file is not None:
                    yield path, file.read()
