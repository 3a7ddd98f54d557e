"""Writes the files that are made from the code, or checks that they are current.

At the repository's root: `python -m gitops_backup.generate [--check] [NAME...]`.
"""

from collections.abc import Sequence
from pathlib import Path

import click

from gitops_backup.domain.backups import GROUP
from gitops_backup.generate import crd, report, tables

_MADE = {
    "crd": (Path("crds") / f"{GROUP}_{crd.PLURAL}.yaml", crd.render),
    "settings-table": (Path("docs/settings.md"), tables.settings_page),
    "reasons-table": (Path("docs/reasons.md"), tables.reasons_page),
    "report-schema": (Path("docs/report.schema.json"), report.render),
}


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when a file is not current.")
@click.argument("names", nargs=-1, type=click.Choice(list(_MADE)))
@click.pass_context
def generate(context: click.Context, check: bool, names: Sequence[str]) -> None:
    """Write the files that are made from the code: those that are named, or all of them."""
    stale = []
    for name in names or _MADE:
        path, render = _MADE[name]
        content = render().encode()
        if path.exists() and path.read_bytes() == content:
            continue
        stale.append(path)
        if not check:
            path.write_bytes(content)
    for path in stale:
        click.echo(f"{path} is not current; run make manifests" if check else f"wrote {path}")
    if check and stale:
        context.exit(1)


if __name__ == "__main__":
    generate()
