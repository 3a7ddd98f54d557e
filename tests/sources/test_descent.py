"""What Applications render that are Applications themselves, in place of files that these are made of."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import yaml

from gitops_backup.sources.applications import Application
from gitops_backup.sources.applicationsets.sets import ApplicationSet, read_sets
from gitops_backup.sources.descent import DEEPEST, Offspring, descend
from gitops_backup.sources.discovery import Discovery, discover


def _manifest(name: str, path: str, *, namespace: str = "argocd", image: str = "") -> dict[str, Any]:
    helm = {"helm": {"parameters": [{"name": "image", "value": image}]}} if image else {}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": {"repoURL": "https://git.example/shop", "path": path, **helm}},
    }


def _set(name: str) -> ApplicationSet:
    written = yaml.safe_dump({"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet"})
    (found,) = read_sets("apps", f"{written}metadata: {{name: {name}}}".encode(), namespace="argocd")
    return found


def _descended(
    files: Mapping[str, dict[str, Any]],
    rendered: Mapping[str, tuple[Sequence[dict[str, Any]], Sequence[str]]],
    *,
    sets: Mapping[str, Sequence[ApplicationSet]] | None = None,
    generated: Mapping[str, dict[str, Any]] | None = None,
) -> tuple[Discovery, list[str]]:
    """What comes of files where folders render Applications of files; and the names that were looked at."""
    looked_at: list[str] = []

    def of(application: Application) -> list[Offspring]:
        looked_at.append(application.name)
        (source,) = application.sources
        made, paths = rendered.get(source.path, ((), ()))
        own = tuple((sets or {}).get(source.path, ()))
        children = tuple(map(Application.project, made))
        return [Offspring(source, children, own, frozenset(paths))] if children or own else []

    found = descend(
        discover({path: yaml.safe_dump(each).encode() for path, each in files.items()}, namespaces=_HOME),
        namespaces=_HOME,
        generated=lambda those: [
            Application.project((generated or {})[each.name])
            for each in those
            if each.name in (generated or {})
        ],
        rendered=lambda those: [of(each) for each in those],
    )
    return found, looked_at


def _names(found: Discovery) -> list[tuple[str, list[str]]]:
    return [
        (f"{each.namespace}/{each.name}", [parent.application.name for parent in each.declarers])
        for each in found.applications
    ]


def _elsewhere(said: dict[str, Any]) -> dict[str, Any]:
    return {**said, "spec": {**said["spec"], "destination": {"name": "prod"}}}


_HOME = frozenset({"argocd"})
_ROOT, _WEB = _manifest("root", "apps"), _manifest("web", "web")


def test_what_is_rendered_is_found_level_by_level() -> None:
    """Each has its parents for declarers."""
    found, looked_at = _descended(
        {"root.yaml": _ROOT}, {"apps": ([_manifest("team", "team")], ()), "team": ([_WEB], ())}
    )
    assert _names(found) == [("argocd/root", []), ("argocd/team", ["root"]), ("argocd/web", ["team"])]
    assert looked_at == ["root", "team", "web"]


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (_WEB, [("argocd/root", []), ("argocd/web", [])]),
        (_manifest("web", "web", image="nginx"), [("argocd/root", []), ("argocd/web", ["root"])]),
        (_manifest("dev-web", "web"), [("argocd/root", []), ("argocd/dev-web", ["root"])]),
        (_elsewhere(_WEB), [("argocd/root", []), ("argocd/web", ["root"])]),
    ],
    ids=["as it is", "patched", "renamed", "for another cluster"],
)
def test_a_file_counts_where_it_comes_out_as_it_is_written(
    made: dict[str, Any], names: list[tuple[str, list[str]]]
) -> None:
    """Otherwise it is none of an Application that is deployed."""
    found, _ = _descended({"root.yaml": _ROOT, "web.yaml": _WEB}, {"apps": ([made], ["web.yaml"])})
    assert _names(found) == names


def test_what_nobody_deploys_makes_nothing() -> None:
    """The base of an overlay is no parent, even if it would render something."""
    base = _manifest("team", "base-of-teams")
    found, _ = _descended(
        {"root.yaml": _ROOT, "base.yaml": base},
        {"apps": ([_manifest("team", "teams")], ["base.yaml"]), "base-of-teams": ([_WEB], ())},
    )
    assert _names(found) == [("argocd/root", []), ("argocd/team", ["root"])]


def test_two_of_one_name_are_told_apart_by_their_parents() -> None:
    """As several clusters have them."""
    dev, prod = _manifest("dev", "dev"), _manifest("prod", "prod")
    found, _ = _descended(
        {"dev.yaml": dev, "prod.yaml": prod},
        {"dev": ([_manifest("web", "a")], ()), "prod": ([_manifest("web", "b")], ())},
    )
    assert _names(found)[2:] == [("argocd/web", ["dev"]), ("argocd/prod: argocd/web", ["prod"])]


def test_one_that_several_make_alike_is_one() -> None:
    """Any of them may be where it is written."""
    both = {"dev": ([_WEB], ()), "prod": ([_WEB], ())}
    found, _ = _descended({"a.yaml": _manifest("a", "dev"), "b.yaml": _manifest("b", "prod")}, both)
    assert _names(found)[2:] == [("argocd/web", ["a", "b"])]


def test_what_says_images_is_written_for_each_parent() -> None:
    """However alike they are: each makes it of something of its own."""
    made = [_manifest("web", "web", image="nginx")]
    both = {"dev": (made, ()), "prod": (made, ())}
    found, _ = _descended({"a.yaml": _manifest("a", "dev"), "b.yaml": _manifest("b", "prod")}, both)
    assert _names(found)[2:] == [("argocd/web", ["a"]), ("argocd/b: argocd/web", ["b"])]


def test_what_sets_generate_may_render_others_too() -> None:
    """And sets may be rendered; what they generate is not listed here, as they are evaluated later."""
    found, looked_at = _descended(
        {"root.yaml": _ROOT},
        {"team": ([_WEB], ())},
        sets={"apps": [_set("teams")]},
        generated={"teams": _manifest("team", "team")},
    )
    assert _names(found) == [("argocd/root", []), ("argocd/web", ["team"])]
    assert [each.name for each in found.sets] == ["teams"]
    assert looked_at == ["root", "team", "web"]


def test_loops_and_chains_end() -> None:
    """One that renders itself is looked at once more at most; one that never ends is cut."""
    found, looked_at = _descended({"root.yaml": _ROOT}, {"apps": ([_ROOT, _WEB], ["root.yaml"])})
    assert _names(found) == [("argocd/root", []), ("argocd/web", ["root", "root"])]
    assert (looked_at, found.unfollowed) == (["root", "root", "web"], ())
    chain = {f"a{n}": ([_manifest(f"a{n + 1}", f"a{n + 1}")], ()) for n in range(100)}
    found, looked_at = _descended({"root.yaml": _manifest("a0", "a0")}, chain)
    assert len(looked_at) == DEEPEST
    assert len(found.applications) == DEEPEST + 1
    assert found.unfollowed == (f"a{DEEPEST}",)


def test_what_is_where_argo_cd_does_not_look_is_counted() -> None:
    """And not followed; files that are rendered are none that cannot be read."""
    files: dict[str, Any] = {"root.yaml": _ROOT}
    found, looked_at = _descended(
        files, {"apps": ([_manifest("other", "team", namespace="team")], ()), "team": ([_WEB], ())}
    )
    assert (_names(found), found.outside, looked_at) == ([("argocd/root", [])], 1, ["root"])
