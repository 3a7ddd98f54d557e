"""The report as a preset for Renovate: where it finds the versions of what backups are copies of.

After a rewrite, a bot that looks for newer tags asks the backup registry, which has those that were in use.
Each rule has it ask the source instead, and write what it finds to the backup's name; that is copied then.

Renovate documentation, "Configuration options", packageRules: `matchDepNames` is the name as a file has it,
`overridePackageName` the one that is looked up. A name without a registry is of Docker Hub.
"""

import json

from gitops_backup.domain.images import Reference
from gitops_backup.report.model import Report

_SCHEMA = "https://docs.renovatebot.com/renovate-schema.json"
_DOCKER_HUB = "docker.io/"


def render_renovate(report: Report) -> str:
    """A JSON document with a rule for each repository of the backup registry, sorted by name."""
    sources = {
        Reference.parse(each.backup).name: Reference.parse(each.image).name.removeprefix(_DOCKER_HUB)
        for each in report.images
    }
    rules = [
        {"matchDatasources": ["docker"], "matchDepNames": [backup], "overridePackageName": source}
        for backup, source in sorted(sources.items())
    ]
    return json.dumps({"$schema": _SCHEMA, "packageRules": rules}, indent=2) + "\n"
