"""`python -m tests.argocd [--build] [ARGUMENT...]`: the tests on a real Argo CD, where it is built.

They are built from source, which takes long, so they are left out where nobody has built them yet.
"""

import os
import sys

import click
import pytest

from gitops_backup.errors import GitopsBackupError
from gitops_backup.sandbox.binaries import Binaries
from gitops_backup.sandbox.cache import cache_folder
from tests.argocd.programs import PROGRAMS


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--build", is_flag=True, help="Build first what is not there.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def main(build: bool, arguments: tuple[str, ...]) -> None:
    """Run the tests on a real Argo CD; ARGUMENTS go to pytest."""
    binaries = Binaries(cache=cache_folder(os.environ), environ=os.environ, progress=_say)
    try:
        found = binaries.provide(PROGRAMS) if build else binaries.at_hand(PROGRAMS)
    except GitopsBackupError as error:
        raise click.ClickException(str(error)) from error
    missing = [name for name in PROGRAMS if name not in found]
    if missing:
        click.echo(
            f"left out: the tests on a real Argo CD, for which {', '.join(missing)} would have to be built; "
            "`make test-argocd BUILD=1` does that, once, in about 25 minutes"
        )
        return
    sys.exit(pytest.main(["--override-ini=testpaths=tests/argocd", *arguments]))


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
