"""`python -m gitops_backup` is the command `gitops-backup`."""

from gitops_backup.cli.main import main

main()
