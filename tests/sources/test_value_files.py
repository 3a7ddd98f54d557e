"""Which value files an Application names, and which are refused."""

import pytest

from gitops_backup.domain.reasons import Reason
from gitops_backup.sources.helm.options import HelmBlock
from gitops_backup.sources.helm.value_files import UnusableChart, resolve_value_files
from gitops_backup.sources.layouts import Layout
from gitops_backup.sources.trees import Tree

TREE = Tree(
    dict.fromkeys(
        [
            "all.yaml",
            "app/Chart.yaml",
            "app/a.yaml",
            "app/b.yaml",
            "app/env/c.yaml",
            "app/env/d/e.yaml",
            "app/env/d.yml",
            "app/[x].yaml",
            "values/a b.yaml",
        ],
        "100644",
    )
    | {"app/link.txt": "120000", "linked": "120000", "app/sub": "160000"}
)

RESOLVED = {
    "none": ([], []),
    "beside the chart": (["a.yaml"], ["app/a.yaml"]),
    "in their order": (["b.yaml", "a.yaml"], ["app/b.yaml", "app/a.yaml"]),
    "the first of two": (["b.yaml", "a.yaml", "./b.yaml"], ["app/b.yaml", "app/a.yaml"]),
    "from the root": (["/all.yaml"], ["all.yaml"]),
    "through folders": (["../values/a b.yaml", "env/../a.yaml"], ["values/a b.yaml", "app/a.yaml"]),
    "of another source": (["$values/all.yaml", "$values//app/a.yaml"], ["all.yaml", "app/a.yaml"]),
    "one level": (["*.yaml"], ["app/Chart.yaml", "app/[x].yaml", "app/a.yaml", "app/b.yaml"]),
    "all levels": (["env/**/*.yaml"], ["app/env/c.yaml", "app/env/d/e.yaml"]),
    "all there is": (["env/**"], ["app/env/c.yaml", "app/env/d/e.yaml", "app/env/d.yml"]),
    "one character": (["?.yaml"], ["app/a.yaml", "app/b.yaml"]),
    "in many folders": (["../*/[ab]*"], ["app/a.yaml", "app/b.yaml", "values/a b.yaml"]),
    "alternatives of folders": (["../{values,none}/*"], ["values/a b.yaml"]),
    "a list": (["[!a].yaml"], ["app/b.yaml"]),
    "a list in another form": (["[^a].yaml"], ["app/b.yaml"]),
    "alternatives": (["env/*.{yml,yaml}"], ["app/env/c.yaml", "app/env/d.yml"]),
    "the named one in its place": (["?.yaml", "a.yaml"], ["app/b.yaml", "app/a.yaml"]),
    "the named one before": (["b.yaml", "?.yaml"], ["app/b.yaml", "app/a.yaml"]),
    "a pattern of another source": (["$values/a*.yaml"], ["all.yaml"]),
}


@pytest.mark.parametrize("case", RESOLVED.values(), ids=RESOLVED.keys())
def test_value_files_are_found(case: tuple[list[str], list[str]]) -> None:
    """From the chart on, from the root on, of other sources, by patterns, each once."""
    raw, expected = case
    assert list(resolve(raw)) == expected


@pytest.mark.parametrize(
    ("raw", "reason", "message"),
    [
        ("gone.yaml", Reason.NOT_FOUND_IN_SOURCE, "the value file gone.yaml is not in the repository"),
        ("/etc/passwd", Reason.NOT_FOUND_IN_SOURCE, "the value file /etc/passwd is not in the repository"),
        ("env", Reason.NOT_FOUND_IN_SOURCE, "the value file env is not in the repository"),
        ("sub", Reason.NOT_FOUND_IN_SOURCE, "the value file sub is not in the repository"),
        ("x*.yaml", Reason.NOT_FOUND_IN_SOURCE, "the value file x*.yaml is not in the repository"),
        ("[x", Reason.NOT_FOUND_IN_SOURCE, "the value file [x is not in the repository"),
        ("../../x", Reason.UNSUPPORTED_SOURCE, "the value file ../../x leads out of the repository"),
        ("/../x", Reason.UNSUPPORTED_SOURCE, "the value file /../x leads out of the repository"),
        ("$values", Reason.UNSUPPORTED_SOURCE, "the value file $values leads out of the repository"),
        (
            "$other/x.yaml",
            Reason.NOT_FOUND_IN_SOURCE,
            "the value file $other/x.yaml is of a source that the Application does not have",
        ),
        (
            "values-${ARGOCD_APP_NAME}.yaml",
            Reason.UNSUPPORTED_SOURCE,
            "the value file values-${ARGOCD_APP_NAME}.yaml is named by a variable of Argo CD's",
        ),
        (
            "https://user:secret@values.example/x.yaml",
            Reason.UNSUPPORTED_SOURCE,
            "the value file values.example/x.yaml is not in Git",
        ),
        ("secrets://x.yaml", Reason.UNSUPPORTED_SOURCE, "the value file secrets://x.yaml is not in Git"),
        (
            "link.txt",
            Reason.UNSUPPORTED_SOURCE,
            "app/link.txt is a symbolic link, which is not followed",
        ),
        ("/linked/x.yaml", Reason.UNSUPPORTED_SOURCE, "linked is a symbolic link, which is not followed"),
    ],
)
def test_what_cannot_be_a_value_file_is_named(raw: str, reason: Reason, message: str) -> None:
    """What is missing, elsewhere, or not to be followed; no password is shown."""
    with pytest.raises(UnusableChart) as refused:
        resolve([raw])
    assert (refused.value.reason, refused.value.message) == (reason, message)


def test_missing_files_may_be_ignored() -> None:
    """Where the Application says so, also where a pattern finds none."""
    assert resolve(["gone.yaml", "a.yaml", "x*"], ignore=True) == ("app/a.yaml",)
    with pytest.raises(UnusableChart):
        resolve(["$other/x.yaml"], ignore=True)


def test_a_chart_from_elsewhere_brings_its_own() -> None:
    """All that is not in another source is in the chart's folder, the root of an absolute path among it."""
    mounted = ["m/up/Chart.yaml", "m/up/big.yaml", "m/up/env/x.yaml"]
    here = [each.path for each in TREE.under("", recurse=True)]
    tree = Tree(dict.fromkeys([*here, *mounted], "100644"))
    layout = Layout("m/up", root="m/up", refs={"values": ""})
    raw = ("big.yaml", "/env/*.yaml", "$values/all.yaml", "$values/app/?.yaml")
    found = resolve_value_files(layout, HelmBlock(value_files=raw), tree=tree)
    assert found == ("m/up/big.yaml", "m/up/env/x.yaml", "all.yaml", "app/a.yaml", "app/b.yaml")
    for outside in ("../all.yaml", "/../all.yaml", "."):
        block = HelmBlock(value_files=(outside,))
        with pytest.raises(UnusableChart, match="leads out of the repository"):
            resolve_value_files(layout, block, tree=tree)


def resolve(raw: list[str], *, ignore: bool = False) -> tuple[str, ...]:
    """The value files of the chart in `app`."""
    block = HelmBlock(value_files=tuple(raw), ignore_missing_value_files=ignore)
    layout = Layout("app", refs={"values": ""}, urls={"https://x.example/v.yaml?a": "all.yaml"})
    return resolve_value_files(layout, block, tree=TREE)
