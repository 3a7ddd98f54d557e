"""The programs that only these tests want."""

from gitops_backup.sandbox.controllers import CONTROLLERS
from gitops_backup.sandbox.realargocd import ARGOCD

PROGRAMS = (*CONTROLLERS, ARGOCD)
