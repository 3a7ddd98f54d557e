"""Which commit a `targetRevision` stands for at a real Argo CD, and which branch it is taken for here."""

import pytest

from gitops_backup.process import run
from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from gitops_backup.sources.applications import PinnedRevision, writable_branch

_REPOSITORY = "revisions"
_APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
_SECONDS_TO_COMPARE = 300.0
_BRANCHES = ("main", "feature/x", "abcdef1", "v1", "1.2", "1.x", "both", "release", "2.0.0")
_TAGS = ("v1.0.0", "v1.1.0", "both")
# the commit that Argo CD takes it for: a branch's or a tag's
_MEANT = {
    "": "heads/main",
    "HEAD": "heads/main",
    "main": "heads/main",
    "refs/heads/main": "heads/main",
    "feature/x": "heads/feature/x",
    "refs/heads/feature/x": "heads/feature/x",
    "refs/heads/abcdef1": "heads/abcdef1",
    "refs/heads/1.x": "heads/1.x",
    "release": "heads/release",
    "v1": "heads/v1",
    "1.2": "heads/1.2",
    "2.0.0": "heads/2.0.0",
    "v1.0.0": "tags/v1.0.0",
    "refs/tags/v1.0.0": "tags/v1.0.0",
    "v1.*": "tags/v1.1.0",
    ">=1.0.0 <1.1.0": "tags/v1.0.0",
    "1.x": "tags/v1.1.0",
    "*": "tags/v1.1.0",
    # not taken for a branch here, as it may also be a commit
    "abcdef1": "heads/abcdef1",
}
_REVISIONS = (*_MEANT, "both", "refs/heads/both")


@pytest.fixture(scope="module")
def refs(sandbox: Sandbox) -> dict[str, str]:
    """A repository with a commit of its own for each branch and tag."""
    url = sandbox.git.create(_REPOSITORY)
    commits: dict[str, str] = {}
    for branch in _BRANCHES:
        manifest = f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: on-{branch.replace('/', '-')}}}}}"
        commits[f"heads/{branch}"] = sandbox.git.commit(
            _REPOSITORY, {"one.yaml": manifest.encode()}, branch=branch
        )
    for tag in _TAGS:
        commits[f"tags/{tag}"] = sandbox.git.commit(_REPOSITORY, {"one.yaml": b"# of a tag"}, branch="tagged")
        git = ["git", "-C", str(sandbox.git.path(_REPOSITORY)), "update-ref", f"refs/tags/{tag}"]
        assert run([*git, commits[f"tags/{tag}"]], timeout=30).returncode == 0
    sandbox.apply(*(_application(number, revision, url) for number, revision in enumerate(_REVISIONS)))
    return commits


@pytest.mark.parametrize("revision", _MEANT)
def test_a_revision_is_taken_for_what_argo_cd_takes_it_for(
    sandbox: Sandbox, refs: dict[str, str], revision: str
) -> None:
    """A branch that is written to is the one that is deployed; and what is no branch is not written to."""
    commit = _compared(sandbox, revision)
    assert commit == refs[_MEANT[revision]]
    try:
        branch = writable_branch(revision) or "main"
    except PinnedRevision:
        return
    assert refs.get(f"heads/{branch}", commit) == commit


def test_of_a_branch_and_a_tag_of_one_name_it_takes_either(sandbox: Sandbox, refs: dict[str, str]) -> None:
    """The whole name of the branch says which is meant."""
    both = {refs["heads/both"], refs["tags/both"]}
    assert len(both) == 2
    assert _compared(sandbox, "both") in both
    assert _compared(sandbox, "refs/heads/both") == refs["heads/both"]


def _compared(sandbox: Sandbox, revision: str) -> str:
    path = f"{_APPLICATIONS}/revision-{_REVISIONS.index(revision)}"

    def look() -> str:
        status = sandbox.api.get(path).get("status", {})
        return str(status.get("sync", {}).get("revision", ""))

    return until(look, what=f"{revision} to be compared", timeout=_SECONDS_TO_COMPARE)


def _application(number: int, revision: str, url: str) -> Json:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": f"revision-{number}", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"},
            "source": {"repoURL": url, "path": ".", "targetRevision": revision},
        },
    }
