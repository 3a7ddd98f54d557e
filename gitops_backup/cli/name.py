"""`gitops-backup name`: what an image's backup and its ImageBackup are called."""

import click
from rich.console import Console
from rich.table import Table

from gitops_backup.cli.context import Globals
from gitops_backup.cli.options import settings_options
from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.policy import Mode
from gitops_backup.errors import UsageError


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@settings_options("backup_repository")
@click.pass_obj
def name(options: Globals, images: tuple[str, ...], backup_repository: str | None) -> None:
    """Print the name of each image's backup, and of its ImageBackup."""
    naming = options.settings({"backup_repository": backup_repository}).policy(mode=Mode.REPORT).naming
    rows = []
    for text in images:
        try:
            image = Reference.parse(text)
        except InvalidReference as error:
            raise UsageError(error.message) from error
        rows.append((text, str(naming.backup(image)), object_name(image)))
    console = Console(highlight=False, soft_wrap=True)
    table = Table("IMAGE", "BACKUP", "IMAGEBACKUP", box=None, pad_edge=False, header_style="")
    for row in rows:
        table.add_row(*row)
    console.print(table) if console.is_terminal else click.echo("\n".join("\t".join(row) for row in rows))
