"""The command: it parses, wires, and exits; each class of error has its exit code.

0 is success; 1 what went wrong; 2 a command that could not begin as it was asked to; as a shell has it, 130
Ctrl-C, 141 a pipe that nobody reads any more, 143 SIGTERM. An error of a user's is one line, and shows no
traceback.
"""

import sys
from importlib import import_module
from pathlib import Path

import click

from gitops_backup import __version__
from gitops_backup.cli import signals, streams
from gitops_backup.cli.context import Globals
from gitops_backup.cli.logging import LogFormat
from gitops_backup.errors import GitopsBackupError, UsageError, one_line
from gitops_backup.process import ProgramMissing

_INTERRUPTED = 130
_NOBODY_READS = 141
_LONGEST_MESSAGE = 4000

# imported when used: the controller's libraries take half a second that `name` need not wait for
_COMMANDS = {
    "name": ("gitops_backup.cli.name", "name"),
    "report": ("gitops_backup.cli.report", "report"),
    "run": ("gitops_backup.cli.run", "run"),
    "sandbox": ("gitops_backup.cli.sandbox", "sandbox"),
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101, the table above is ours
        return command


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="gitops-backup")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="The kubeconfig file.")
@click.option("--context", help="The context in the kubeconfig file.")
@click.option("--config", type=click.Path(path_type=Path), help="A YAML file with settings.")
@click.option(
    "--log-format", type=click.Choice([f.value for f in LogFormat]), default="text", show_default=True
)
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
@click.pass_context
def cli(
    ctx: click.Context,
    kubeconfig: Path | None,
    context: str | None,
    config: Path | None,
    log_format: str,
    verbose: bool,
) -> None:
    """Back up the images that a cluster runs to your own registry, and make Git say so."""
    ctx.obj = Globals(
        kubeconfig=kubeconfig,
        context=context,
        config=config,
        log_format=LogFormat(log_format),
        verbose=verbose,
    )


def main() -> None:
    """Run the command and exit."""
    streams.prepare()
    signals.unwind_when_told()
    try:
        code = cli.main(standalone_mode=False)
    except streams.NobodyReads:
        code = _NOBODY_READS
    except click.exceptions.Abort:
        code = _INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.UsageError as error:
        code = _say(f"{error.format_message()} ({_advice(error)})", error.exit_code)
    except click.ClickException as error:
        code = _say(error.format_message(), error.exit_code)
    except (UsageError, ProgramMissing) as error:
        code = _say(str(error), 2)
    except GitopsBackupError as error:
        code = _say(str(error), 1)
    sys.exit(code)


def _advice(error: click.UsageError) -> str:
    before_the_name = {option for each in cli.params for option in each.opts}
    if isinstance(error, click.NoSuchOption) and error.option_name in before_the_name:
        return "it goes before the command's name"
    command = error.ctx.command_path if error.ctx is not None else "gitops-backup"
    return f"see {command} --help"


def _say(message: str, code: int) -> int:
    click.echo(f"gitops-backup: {one_line(message, limit=_LONGEST_MESSAGE)}", err=True)
    return code
