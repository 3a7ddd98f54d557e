"""The page of examples, `docs/shapes.md`: each is what the product makes of a golden folder.

That a golden folder's `after` is what comes of its `before`, its own test shows. What is printed here is the
difference of the two as the product prints it, so that no diff is written by hand. `python -m
tests.sources.examples` writes the page anew.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gitops_backup.sources.edits import unified_diff

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "shapes.md"
_GOLDEN = Path(__file__).parent / "golden"


class Example(NamedTuple):
    """A way to write an image: what it is called, what is edited, and the golden folder that shows it."""

    title: str
    edited: str
    folder: str


EXAMPLES = (
    Example("A manifest", "the scalar of that container, of the object that holds in the end", "two-copies"),
    Example("Lists, JSON and anchors", "the same, where it stands", "lists-and-json"),
    Example("A program of jsonnet", "the string that the image comes from", "jsonnet/list-of-objects"),
    Example(
        "Programs of jsonnet: repository and tag",
        "the repository, also in a file that is imported",
        "jsonnet/repository-and-tag-apart",
    ),
    Example("Programs of jsonnet: a text", "the line within the text", "jsonnet/text-block"),
    Example(
        "A kustomization",
        "a new entry of `images`, for the name that all other entries leave",
        "kustomize/entry-added",
    ),
    Example(
        "A kustomization that sets a tag",
        "the entry that made the image what it is gets a `newName`",
        "kustomize/tag-is-set",
    ),
    Example(
        "A kustomization that sets a name",
        "the name; an overlay never changes its base",
        "kustomize/name-is-set",
    ),
    Example(
        "A chart: repository and tag", "the repository, so that the tag stays", "helm/repository-and-tag"
    ),
    Example("A chart: one text", "its name", "helm/one-string"),
    Example(
        "A chart: registry, repository, tag, digest",
        "registry and repository, never the host in both",
        "helm/registry-repository-tag-digest",
    ),
    Example("A chart: keys of its own", "whatever key is found to feed it", "helm/name-and-version-apart"),
    Example(
        "A chart: several value files",
        "the last one that says it, of those that are in the repository",
        "helm/last-value-file-wins",
    ),
    Example(
        "A chart: nothing but its default",
        "the last value file gets the key",
        "helm/added-to-the-last-value-file",
    ),
    Example(
        "A chart: one registry for all",
        "that alone, where names are nested and everything is copied",
        "helm/global-registry-nested-names",
    ),
    Example("A chart of charts", "the keys below each alias", "helm/umbrella-with-aliases"),
    Example(
        "A chart of charts from elsewhere",
        "the last value file that is in the repository, below the dependency's name or alias",
        "helm/dependency-from-elsewhere",
    ),
    Example("A chart: a literal in a template", "the literal", "helm/literal-in-a-template"),
    Example(
        "A chart: containers as text among values",
        "the line of the block of text",
        "helm/blocks-of-text-among-values",
    ),
    Example(
        "A chart from elsewhere, values in the repository",
        "the last value file that is in a source with a `ref`, which may not have the key yet",
        "helm/chart-from-elsewhere",
    ),
    Example(
        "Parameters of an Application that is in Git",
        "the parameter's value",
        "inline/a-parameter",
    ),
    Example("Values as text in an Application", "the scalar within the text", "inline/values-in-a-block"),
    Example("Values as an object in an Application", "the scalar", "inline/an-object-of-values"),
    Example(
        "Images of kustomize in an Application", "the entry gets the new name", "inline/an-image-of-kustomize"
    ),
    Example(
        "Applications in the templates of a chart",
        "a literal, in a line of the template without braces",
        "parents/literal-in-a-template",
    ),
    Example(
        "Applications made of the values of a chart",
        "the value, where it is found to feed the Application",
        "parents/list-of-applications",
    ),
    Example(
        "Applications of a kustomization",
        "the manifest that it lists, or the patch that says the image",
        "parents/patch-of-a-kustomization",
    ),
    Example("`.argocd-source.yaml`", "the same, in that file", "inline/a-parameter-file"),
    Example(
        "A value that no file in the repository decides",
        "`.argocd-source-<name>.yaml`, a new file beside the chart that Argo CD merges over this Application",
        "helm/values-by-url-that-override",
    ),
    Example("A list of an ApplicationSet", "the element", "applicationset-edits/list-element"),
    Example(
        "Files of an ApplicationSet",
        "the file of each Application",
        "applicationset-edits/file-to-a-parameter",
    ),
    Example(
        "Clusters of an ApplicationSet",
        "the file, the element or the template that is combined with them",
        "applicationset-edits/file-of-each-cluster",
    ),
    Example(
        "The template of an ApplicationSet",
        "a literal in it, where that is right for all Applications",
        "applicationset-edits/literal-in-the-template",
    ),
)


def page() -> str:
    """The page as it is now."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# How images are written in Git"
    yield ""
    yield "<!-- Made by `python -m tests.sources.examples` from tests/sources/golden. -->"
    yield ""
    yield "For each way to write an image, what is edited, and an example. What is no image stays as it is."
    yield ""
    yield "| shape | what is edited |"
    yield "| --- | --- |"
    for each in EXAMPLES:
        yield f"| [{each.title}](#{_anchor(each.title)}) | {each.edited} |"
    for each in EXAMPLES:
        yield from ("", f"## {each.title}", "")
        yield f"What is edited: {each.edited}."
        yield from ("", "```diff", *_diff(_GOLDEN / each.folder), "```")


def _diff(folder: Path) -> Iterator[str]:
    paths = sorted(path.relative_to(folder / "after") for path in (folder / "after").rglob("*"))
    for path in paths:
        if (folder / "after" / path).is_file():
            before, after = folder / "before" / path, (folder / "after" / path).read_bytes()
            there = before.read_bytes() if before.is_file() else None
            yield from unified_diff(str(path), there, after).splitlines()[1:]


def _anchor(title: str) -> str:
    """The heading's anchor, as forges make it."""
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page())
