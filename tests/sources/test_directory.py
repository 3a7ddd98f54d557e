"""Which files of a tree a Directory source reads, and in which order."""

import pytest

from gitops_backup.sources.directory import DirectoryOptions, list_files, skips
from gitops_backup.sources.trees import Tree, folder_of

FILE, EXECUTABLE, LINK, SUBMODULE = "100644", "100755", "120000", "160000"

TREE = Tree(
    {
        "README.md": FILE,
        "app/b.yaml": FILE,
        "app/a.yml": EXECUTABLE,
        "app/c.json": FILE,
        "app/main.jsonnet": FILE,
        "app/lib.libsonnet": FILE,
        "app/notes.txt": FILE,
        "app/shared.yaml": LINK,
        "app/vendor": SUBMODULE,
        "app/b/x.yaml": FILE,
        "app/b-c.yaml": FILE,
        "app/dev/secret.yaml": FILE,
        "app/dev/.hidden.yaml": FILE,
        "app-two/a.yaml": FILE,
        "application.yaml": FILE,
        "linked": LINK,
    }
)

CASES = {
    "the folder alone": (DirectoryOptions(), ["a.yml", "b-c.yaml", "b.yaml", "c.json"]),
    "all below": (
        DirectoryOptions(recurse=True),
        ["a.yml", "b/x.yaml", "b-c.yaml", "b.yaml", "c.json", "dev/.hidden.yaml", "dev/secret.yaml"],
    ),
    "some": (
        DirectoryOptions(recurse=True, include="{b*.yaml,dev/**}"),
        ["b/x.yaml", "b-c.yaml", "b.yaml", "dev/.hidden.yaml", "dev/secret.yaml"],
    ),
    "not some": (
        DirectoryOptions(recurse=True, exclude="dev/*"),
        ["a.yml", "b/x.yaml", "b-c.yaml", "b.yaml", "c.json"],
    ),
    "both": (DirectoryOptions(recurse=True, include="*.yaml", exclude="{b,dev}/*"), ["b-c.yaml", "b.yaml"]),
    "an include that is no pattern": (DirectoryOptions(include="["), []),
    "an exclude that is no pattern": (
        DirectoryOptions(exclude="["),
        ["a.yml", "b-c.yaml", "b.yaml", "c.json"],
    ),
    "any extension": (
        DirectoryOptions(any_extension=True, exclude="*.*sonnet"),
        ["a.yml", "b-c.yaml", "b.yaml", "c.json", "notes.txt"],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_files_are_those_that_argo_cd_reads(case: tuple[DirectoryOptions, list[str]]) -> None:
    """Names, patterns and depth decide; a folder's files come where the folder itself would stand."""
    options, expected = case
    assert list(list_files(TREE, "app", options).manifests) == [f"app/{name}" for name in expected]


def test_links_and_jsonnet_are_kept_apart() -> None:
    """Both are read by Argo CD and not edited, so that a message can name them."""
    listing = list_files(TREE, "app", DirectoryOptions(recurse=True))
    assert listing.links == ("app/shared.yaml",)
    assert listing.programs == ("app/main.jsonnet",)


def test_the_root_is_a_folder() -> None:
    """A path of nothing, or a dot, is the whole repository."""
    assert list_files(TREE, "", DirectoryOptions()).manifests == ("application.yaml",)
    assert "app-two/a.yaml" in list_files(TREE, "", DirectoryOptions(recurse=True)).manifests
    assert list_files(Tree({}), "", DirectoryOptions(recurse=True)).manifests == ()


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("apps/web", "apps/web"),
        ("./apps//web/", "apps/web"),
        ("apps/../web", "web"),
        (".", ""),
        ("", ""),
        ("..", None),
        ("apps/../../web", None),
        ("/apps", None),
        ("..web", "..web"),
    ],
)
def test_a_path_stays_in_the_repository(path: str, folder: str | None) -> None:
    """Dots and slashes are taken out, and what leads outside is no folder."""
    assert folder_of(path) == folder


@pytest.mark.parametrize(
    ("folder", "link"),
    [("linked", "linked"), ("linked/a/b", "linked"), ("app", None), ("app/dev", None), ("", None)],
)
def test_a_link_on_the_way_is_found(folder: str, link: str | None) -> None:
    """A folder behind a symbolic link is not in the tree."""
    assert TREE.link_towards(folder) == link


def test_a_file_can_ask_to_be_left_alone() -> None:
    """The marker counts wherever it stands."""
    assert skips(b"a: b\n# +argocd:skip-file-rendering\n")
    assert not skips(b"a: b\n")
