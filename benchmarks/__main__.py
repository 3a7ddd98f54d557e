"""`python -m benchmarks [NAME...]`: measure, and print a table."""

import importlib
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks.bench import Bench
from benchmarks.figures import Measurement, render
from gitops_backup.errors import GitopsBackupError
from gitops_backup.sandbox.sandbox import Sandbox

NAMES = ("direct", "git", "plan", "latency", "rendered", "upstream", "idle")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="A fiftieth of everything: to see that it works, not to measure.")
def main(names: tuple[str, ...], quick: bool) -> None:
    """Measure, each figure beside its reference.

    One of direct, git, plan, latency, rendered, upstream, idle; or all of them.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        measured = [_measured(name, quick) for name in dict.fromkeys(names or NAMES)]
    except GitopsBackupError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        sys.exit(130)
    click.echo(render(measured), nl=False)


def _measured(name: str, quick: bool) -> Measurement:
    """The figures of one benchmark, on servers of its own, so that none is slowed down by another's data."""

    def progress(line: str) -> None:
        click.echo(line, err=True)

    measure: Callable[[Bench], Measurement] = importlib.import_module(f"benchmarks.{name}").measure
    with (
        tempfile.TemporaryDirectory(prefix="gitops-backup-") as folder,
        Sandbox.start(progress=progress, stand_ins=False) as sandbox,
    ):
        return measure(Bench(sandbox, Path(folder), quick, progress))


if __name__ == "__main__":
    main()
