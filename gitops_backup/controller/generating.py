"""What ApplicationSets generate, as a commit has them: rounds of reading what their generators read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gitops_backup.controller.reading import Readable
from gitops_backup.sources.applicationsets.clusters import Cluster
from gitops_backup.sources.applicationsets.generators import Surroundings
from gitops_backup.sources.applicationsets.sets import ApplicationSet, Evaluation, evaluate
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.trees import Tree


@dataclass(frozen=True, slots=True)
class Family:
    """A set, what it generates, and what that follows from: among it the files that were read for it."""

    set: ApplicationSet
    around: Surroundings
    evaluation: Evaluation


def generate(
    repository: Readable,
    commit: str,
    sets: Sequence[ApplicationSet],
    *,
    clusters: Sequence[Cluster],
    is_here: Callable[[str, str], bool],
    renderer: Renderer,
) -> list[Family]:
    """What each set generates on a commit, with generators that read the repository itself.

    `is_here` says of a URL and a revision whether they are this commit. Raises what reading it raises.
    """
    if not sets:
        return []
    tree = Tree({path: entry.mode for path, entry in repository.tree(commit).items()})
    contents: dict[str, bytes] = {}
    refused: dict[str, str] = {}
    around = Surroundings(
        tree=tree, is_here=is_here, contents=contents, refused=refused, clusters=tuple(clusters)
    )
    families: list[Family] = []
    for each in sets:
        while (evaluation := evaluate(each, around, renderer=renderer)).unread:
            files = repository.read(commit, evaluation.unread)
            contents |= files.contents
            gone = evaluation.unread - files.contents.keys()
            refused |= {**dict.fromkeys(gone, "is not there"), **files.refused}
        families.append(Family(each, around, evaluation))
    return families
