"""What a renderer may use: time, memory, output, open files.

The limits are the kernel's, set by the shell that becomes the program. Memory is limited as data
(RLIMIT_DATA, getrlimit(2)): programs in Go reserve much more address space than they use. Output goes to
files, so that the limit of a file's size limits it before it is in our memory. The pipe that would have it
stays open as one more descriptor until the program ends, because whoever runs it waits for just that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MEGABYTE = 1024 * 1024
# what cannot be set is lower already: limits can be lowered by anybody
_SCRIPT = """\
for limit in "-t $1" "-d $2" "-f $3" "-n $4" "-c 0"; do ulimit $limit 2>/dev/null; done
out=$5 err=$6
shift 6
exec "$@" 3>&1 </dev/null >"$out" 2>"$err"
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one run. `seconds` is how long it may take, `cpu_seconds` how long it may compute."""

    seconds: float = 60.0
    cpu_seconds: int = 30
    memory_megabytes: int = 512
    output_megabytes: int = 16
    open_files: int = 256

    @property
    def output_bytes(self) -> int:
        """How many bytes may be printed."""
        return self.output_megabytes * _MEGABYTE

    @property
    def environment(self) -> dict[str, str]:
        """What tells a program in Go to collect garbage when the limit is near, and else less often.

        Most renderings end before any garbage is worth collecting.
        """
        return {
            "GOGC": "400",
            "GOMEMLIMIT": f"{self.memory_megabytes * 3 // 4}MiB",
            "GOTRACEBACK": "none",
        }

    def argv(self, argv: Sequence[str], *, out: Path, err: Path) -> list[str]:
        """The argument list that runs another within the limits, and has it print to these files."""
        limits = (
            self.cpu_seconds,
            self.memory_megabytes * _MEGABYTE // 1024,  # kilobytes, as shells count memory
            self.output_bytes // 512,  # blocks, as POSIX has shells count files
            self.open_files,
        )
        return ["/bin/sh", "-c", _SCRIPT, "sh", *map(str, limits), str(out), str(err), *argv]
