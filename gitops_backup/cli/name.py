"""`gitops-backup name`: what an image's backup and its ImageBackup are called."""

from typing import Any

import click

from gitops_backup.cli.context import Globals
from gitops_backup.cli.options import settings_options
from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.policy import Mode
from gitops_backup.errors import UsageError
from gitops_backup.report.columns import columns


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--no-headers", is_flag=True, help="Leave out the headings, for scripts.")
@settings_options("backup_repository", "backup_names")
@click.pass_obj
def name(options: Globals, /, images: tuple[str, ...], no_headers: bool, **flags: Any) -> None:
    """Print the name of each image's backup, and of its ImageBackup, a line each."""
    naming = options.settings(flags).policy(mode=Mode.REPORT).naming
    rows = []
    for text in images:
        try:
            image = Reference.parse(text)
        except InvalidReference as error:
            raise UsageError(error.message) from error
        rows.append((text, str(naming.backup(image)), object_name(image)))
    for line in columns(("IMAGE", "BACKUP", "IMAGEBACKUP"), rows)[1 if no_headers else 0 :]:
        click.echo(line)
