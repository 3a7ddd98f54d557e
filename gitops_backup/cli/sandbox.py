"""`gitops-backup sandbox`: a private cluster of real servers on this machine."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console

from gitops_backup.sandbox.demo import Demonstration
from gitops_backup.sandbox.sandbox import Sandbox, end_sandbox

_name = click.option("--name", default="sandbox", show_default=True, help="What the sandbox is called.")


@click.group()
def sandbox() -> None:
    """A private control plane, registries and Git host on this machine, all real."""


@sandbox.command()
@_name
@click.option("--samples", is_flag=True, help="Apply the project's sample workloads.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what it is called and where it is.")
def up(name: str, samples: bool, quiet: bool) -> None:
    """Start a sandbox and keep it until Ctrl-C, or until `down` ends it.

    Whatever it needs and cannot find is made, once, which can take minutes.
    """
    # `down` ends it in the same way as Ctrl-C, also while it still starts
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _progress(quiet) as progress:
            running = Sandbox.start(name=name, progress=progress)
        with running:
            running.namespace("image-backup")
            if samples:
                running.apply(*running.samples())
            _describe(running)
            threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)


@sandbox.command()
@click.option("-q", "--quiet", is_flag=True, help="Say nothing about what is being started.")
def demo(quiet: bool) -> None:
    """Show the controller at work, from a workload to a verified copy, a patch, and a commit."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _progress(quiet) as progress:
            running = Sandbox.start(progress=progress)
        with running:
            finished = Demonstration(running, click.echo).run()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        sys.exit(130)
    sys.exit(0 if finished else 1)


@sandbox.command()
@_name
def down(name: str) -> None:
    """End the sandbox of this name, from another shell."""
    end_sandbox(name)


def _describe(running: Sandbox) -> None:
    rows = {
        "kubeconfig": running.kubeconfig,
        "settings": running.settings_file,
        "upstream registry": f"{running.upstream.url} for {', '.join(running.upstream_hosts)}",
        "backup registry": f"{running.backup.url} for {running.backup_repository}",
        "Git host": running.git.root,
        "logs": running.folder,
    }
    for title, value in rows.items():
        click.echo(f"{title + ':':<19}{value}")
    options = f"--kubeconfig {running.kubeconfig} --config {running.settings_file}"
    click.echo(f"\nin another shell:  gitops-backup {options} report")
    click.echo("here:              Ctrl-C ends it")


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    """On a terminal one line that changes, elsewhere a line each."""
    console = Console(stderr=True, quiet=quiet)
    if console.is_terminal:
        with console.status("starting") as status:
            yield status.update
    else:
        yield lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)
