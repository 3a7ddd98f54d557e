"""The report as a preset for Renovate."""

import json

from gitops_backup.report.renovate import render_renovate
from tests.report.forms import everything
from tests.report.reports import report


def test_each_backup_has_a_rule_that_names_its_source() -> None:
    """Once each, whatever the tags; Docker Hub goes without saying."""
    preset = json.loads(render_renovate(everything()))
    assert preset["packageRules"] == [
        {
            "matchDatasources": ["docker"],
            "matchDepNames": [backup],
            "overridePackageName": source,
        }
        for backup, source in (
            ("bak.example/m/ghcr.io_acme_lost", "ghcr.io/acme/lost"),
            ("bak.example/m/library_nginx", "library/nginx"),
            ("bak.example/m/library_redis", "library/redis"),
            ("bak.example/m/quay.io_acme_tool", "quay.io/acme/tool"),
        )
    ]


def test_where_nothing_is_in_use_there_is_no_rule() -> None:
    """An empty list is a preset that changes nothing."""
    assert json.loads(render_renovate(report()))["packageRules"] == []
