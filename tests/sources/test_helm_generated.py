"""Edits of generated charts: what is rendered afterwards is what was rendered, with the images' copies."""

import json
from collections import Counter
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.rendering.cache import CachingRenderer
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendering import HelmOptions, Renderer
from tests.sources.charts import application, edit
from tests.sources.generated_charts import ChartSample, charts

REASONS = {
    Reason.BACKUP_PENDING,
    Reason.PROOF_FAILED,
    Reason.SHARED_SCALAR,
    Reason.RENDER_FAILED,
    Reason.UNSUPPORTED_SOURCE,
}


@pytest.mark.timeout(1200)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(sample=charts(), away=st.sets(st.sampled_from(["env/base.yaml", "env/prod.yaml"])))
def test_images_become_their_copies_and_nothing_else_changes(
    helm_renderer: LocalRenderer, sample: ChartSample, away: set[str]
) -> None:
    """Or there is a reason, and then nothing changes for that image; a second time nothing is done.

    Some of the value files may be `away`, each at a URL, and are not written then.
    """
    renderer = CachingRenderer(helm_renderer, version="")
    urls = {path: f"https://values.example/{path}" for path in away}
    app = application({"valueFiles": [urls.get(raw.removeprefix("../"), raw) for raw in sample.value_files]})
    elsewhere = {Place.of_file(url): {"values.yaml": sample.files[path]} for path, url in urls.items()}
    replacements, copies = list(sample.replacements), sample.copies
    here = {path: content for path, content in sample.files.items() if path not in away}
    result = edit(renderer, app, here, replacements, copies=copies, elsewhere=elsewhere)
    assert not away & result.edits.keys()
    assert {each.reason for each in result.refused} <= REASONS
    told = [*(each.replacement for each in result.replaced), *result.done]
    assert Counter(told) + Counter(each.replacement for each in result.refused) == Counter(
        sample.replacements
    )
    after = {**sample.files, **result.edits}
    changed: set[str] = set()
    compare(rendered(renderer, sample.files), rendered(renderer, after), sample.copies, changed)
    assert {each.replacement.workload.name for each in result.replaced} <= changed
    assert not changed & {each.replacement.workload.name for each in result.refused}
    if result.replaced:
        there = {path: content for path, content in after.items() if path not in away}
        again = edit(renderer, app, there, replacements, copies=copies, elsewhere=elsewhere)
        assert again.edits == {}
        assert set(again.done) == set(told)


def rendered(renderer: Renderer, files: dict[str, bytes]) -> dict[str, Any]:
    """The objects by their names, read by another parser than the one that proves."""
    own = yaml.safe_load(files.get("app/.argocd-source-web.yaml", b"helm: {valuesObject: {}}"))
    options = HelmOptions(
        release="web",
        namespace="shop",
        value_files=("env/base.yaml", "env/prod.yaml"),
        values=json.dumps(own["helm"]["valuesObject"]),
    )
    output = renderer.helm(files, "app", options)
    return {each["metadata"]["name"]: each for each in yaml.safe_load_all(output) if each}


def compare(
    before: dict[str, Any], after: dict[str, Any], copies: dict[Reference, str], changed: set[str]
) -> None:
    """Adds the names of the objects whose image became its copy; nothing else may differ."""
    assert before.keys() == after.keys()
    for name, old in before.items():
        old_pod, new_pod = (each["spec"]["template"]["spec"] for each in (old, after[name]))
        (was,), (now,) = old_pod["containers"], new_pod["containers"]
        if was["image"] != now["image"]:
            changed.add(name)
            assert Reference.parse(now["image"]) == Reference.parse(copies[Reference.parse(was["image"])])
        followed = [now["image"] if arg == was["image"] else arg for arg in was["args"]]
        assert now["args"] in (
            was["args"],
            followed,
        )  # its own literal stays, what the same key feeds follows
        was["image"], was["args"] = now["image"], now["args"]
    assert before == after
