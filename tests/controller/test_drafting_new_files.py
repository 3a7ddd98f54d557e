"""Drafts that make a file: it is proven as every other edit, for whoever reads its folder."""

from collections.abc import Iterable

import pytest

from gitops_backup.controller.drafting import Draft, draft
from gitops_backup.controller.foresight import foresee
from gitops_backup.controller.generating import Family, generate
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.controller.parts import Share
from gitops_backup.controller.targets import branch_of
from gitops_backup.domain.planning import plan
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.applicationsets.sets import read_sets
from tests.controller.cluster import NOW, application, inventory, policy, source, workload
from tests.controller.memory import COMMIT, MemoryBranch, MemoryGit, manifest
from tests.controller.test_drafting import _due
from tests.controller.test_drafting_elsewhere import MemoryElsewhere, left

CODE = "https://git.example/code"
TEAM = "https://values.example/team.yaml"
CHART = {
    "app/Chart.yaml": b"apiVersion: v2\nname: web\nversion: 1.2.3\n",
    "app/values.yaml": b"image: other\n",
    "app/templates/web.yaml": manifest("web", "{{ .Values.image }}:1.25"),
}
SAYS = MemoryElsewhere({TEAM: {"values.yaml": b"image: nginx\n"}})
SET = b"""\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: all, namespace: argocd}
spec:
  generators:
  - git: {repoURL: https://git.example/code, revision: HEAD, files: [{path: 'PATTERN'}]}
  template:
    metadata: {name: '{{path.basename}}'}
    spec: {project: default, source: {repoURL: https://git.example/code, path: x}}
"""


def deploying(name: str, path: str = "app", *files: str) -> Application:
    """An Application of the chart."""
    return application(name, {**source(CODE, path), "helm": {"valueFiles": list(files)}})


def drafted(
    branch: MemoryBranch,
    renderer: LocalRenderer,
    *,
    due: Iterable[Application],
    quiet: Iterable[Application] = (),
    outcomes: Outcomes | None = None,
    pattern: str = "",
) -> Draft:
    """What the branch would be changed to, with a set that generates from the files of a pattern."""

    def share(app: Application) -> Share:
        return Share.of(app, lambda each: branch_of(each).repository == CODE)

    image = workload("web", "nginx:1.25")
    readers = [share(app).reader(app, with_edited=True) for app in quiet]
    written = SET.replace(b"PATTERN", pattern.encode())
    sets = read_sets("set.yaml", written, namespace="argocd") if pattern else ()
    made = generate(
        branch,
        COMMIT,
        sets,
        manifests={"set.yaml": written},
        clusters=(),
        is_here=lambda _url, _revision: True,
        renderer=renderer,
    )
    return draft(
        branch,
        COMMIT,
        [share(app).part(app, _due(image, f"argocd/{app.name}")) for app in due],
        renderer=renderer,
        readers=[each for each in readers if each is not None],
        elsewhere=SAYS,
        outcomes=outcomes,
        families=[Family(each) for each in made],
    )


def own_file(name: str) -> bytes:
    """What is made for an Application."""
    return (
        f"# Argo CD merges this over the source of the Application {name}, and of no other.\n"
        "helm:\n  valuesObject:\n    image: bak.example/m/library_nginx\n"
    ).encode()


def test_each_application_gets_a_file_of_its_own(helm_renderer: LocalRenderer) -> None:
    """Of those that share a chart; one that is not due is left as it is, and none is in the other's way."""
    branch = MemoryBranch(dict(CHART))
    apps = [deploying(name, "app", TEAM) for name in ("one", "two")]
    other = deploying("other")
    outcomes = Outcomes()
    made = drafted(branch, helm_renderer, due=apps, quiet=[other], outcomes=outcomes)
    assert (made.files, left(made)) == (
        {f"app/.argocd-source-{name}.yaml": own_file(name) for name in ("one", "two")},
        [],
    )
    assert made.before == {}
    assert sorted((place.path, place.line) for place in made.places.values()) == [
        ("app/.argocd-source-one.yaml", 4),
        ("app/.argocd-source-two.yaml", 4),
    ]
    again = drafted(branch, helm_renderer, due=apps, quiet=[other], outcomes=outcomes)
    assert again == made
    done = drafted(MemoryBranch({**CHART, **made.files}), helm_renderer, due=apps, outcomes=outcomes)
    assert (done.files, len(done.done)) == ({}, 2)


def test_two_sources_of_one_application_share_the_file(helm_renderer: LocalRenderer) -> None:
    """What the first made of it is not lost with the second."""
    two = "{{ .Release.Name }}"
    chart = {**CHART, "app/templates/web.yaml": manifest(two, "{{ .Values.image }}:1.25")}
    helm = {"valueFiles": [TEAM]}
    app = application(
        "both",
        {**source(CODE, "app"), "helm": {**helm, "releaseName": "web"}},
        {**source(CODE, "app"), "helm": {**helm, "releaseName": "db"}},
    )
    share = Share.of(app, lambda each: True)
    due = [
        *_due(workload("web", "nginx:1.25"), "argocd/both"),
        *_due(workload("db", "nginx:1.25"), "argocd/both"),
    ]
    made = draft(
        MemoryBranch(chart), COMMIT, [share.part(app, tuple(due))], renderer=helm_renderer, elsewhere=SAYS
    )
    assert (made.files, left(made)) == ({"app/.argocd-source-both.yaml": own_file("both")}, [])
    assert len(made.edited) == 2


def test_whoever_is_rendered_from_all_files_of_a_folder_speaks_against_another(
    helm_renderer: LocalRenderer,
) -> None:
    """A chart may print whatever lies in it, and so may one in the folder above."""
    lists = b'data:\n{{ range $path, $_ := .Files.Glob "**" }}  {{ $path | quote }}: x\n{{ end }}'
    config = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: files}\n" + lists
    above = {
        "Chart.yaml": b"apiVersion: v2\nname: above\nversion: 1.0.0\n",
        "templates/files.yaml": config,
    }
    apps = [deploying("one", "app", TEAM)]
    for files, quiet in (({"app/templates/files.yaml": config}, "app"), (above, ".")):
        branch = MemoryBranch({**CHART, **files})
        other = deploying("other", quiet)
        made = drafted(branch, helm_renderer, due=apps, quiet=[other])
        assert made.files == {}
        (said,) = left(made)
        assert said.startswith("ProofFailed: app/.argocd-source-one.yaml, ")


def test_it_is_foreseen_as_a_new_file(helm_renderer: LocalRenderer) -> None:
    """With a diff that makes it, so that who reads a report looks for the value there."""
    image = workload("web", "nginx:1.25")
    app = application("one", {**source(CODE, "app"), "helm": {"valueFiles": [TEAM]}}, of=[image])
    known = inventory(image, app)
    git = MemoryGit({CODE: [MemoryBranch(dict(CHART))]})
    future = foresee(plan(known, policy()), known, git, renderer=helm_renderer, now=NOW, elsewhere=SAYS)
    (place,) = future.places.values()
    assert (place.path, place.line, place.line_before) == ("app/.argocd-source-one.yaml", 4, 1)
    assert place.new
    (change,) = future.changes
    header = "new file mode 100644\n--- /dev/null\n+++ b/app/.argocd-source-one.yaml\n@@ -0,0 +1,4 @@\n"
    assert header in change.diff


@pytest.mark.parametrize(("pattern", "writes"), [("**/*.yaml", False), ("**/config.yaml", True)])
def test_a_set_must_not_generate_from_it(helm_renderer: LocalRenderer, pattern: str, writes: bool) -> None:
    """Where a generator takes every file of a folder for one of its own."""
    branch = MemoryBranch({"app/config.yaml": b"x: y\n", **CHART})
    made = drafted(branch, helm_renderer, due=[deploying("one", "app", TEAM)], pattern=pattern)
    assert bool(made.files) == writes
    if not writes:
        path = "app/.argocd-source-one.yaml"
        why = f"is read for the ApplicationSet argocd/all, too: its generators would take {path}"
        assert left(made) == [f"ProofFailed: {path}, line 4, {why} for a file of theirs"]
