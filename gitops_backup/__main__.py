"""`python -m gitops_backup` is the command `gitops-backup`."""

import signal


def main() -> None:
    """Run the command and exit."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        # until it begins, Ctrl-C would show where in which import it came
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from gitops_backup.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
