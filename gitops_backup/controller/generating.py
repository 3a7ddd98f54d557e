"""What makes Applications. What sets make of a commit takes rounds of reading what their generators read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gitops_backup.controller.reading import Readable
from gitops_backup.sources.applications import Application
from gitops_backup.sources.applicationsets.clusters import Cluster
from gitops_backup.sources.applicationsets.generators import Surroundings
from gitops_backup.sources.applicationsets.sets import ApplicationSet, evaluate
from gitops_backup.sources.makers.maker import Maker
from gitops_backup.sources.makers.sets import SetMaker
from gitops_backup.sources.objects import Object
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.trees import Tree


@dataclass(frozen=True, slots=True)
class Family:
    """What makes Applications, and which it makes.

    `members` has the names that it makes by those that Applications have here, `project` makes an Application
    of what it makes, and `differing` says of a member in which field it is another one in the cluster than
    what is made. Where it is an Application, `parent` is its name. Where what is made rests on what somebody
    lists, `disagreement` says in what it is not what is in the cluster.
    """

    maker: Maker
    project: Callable[[Object], Application] = Application.project
    members: Mapping[str, str] = field(default_factory=dict)
    differing: Callable[[str, Object], str] = lambda *_: ""
    parent: str = ""
    disagreement: str = ""


def generate(
    repository: Readable,
    commit: str,
    sets: Sequence[ApplicationSet],
    *,
    manifests: Mapping[str, bytes],
    clusters: Sequence[Cluster] | None,
    is_here: Callable[[str, str], bool],
    renderer: Renderer,
) -> list[SetMaker]:
    """What each set generates on a commit, with generators that read the repository itself.

    `manifests` has the files of the commit that sets are in, `is_here` says of a URL and a revision whether
    they are this commit. Raises what reading it raises.
    """
    if not sets:
        return []
    tree = Tree({path: entry.mode for path, entry in repository.tree(commit).items()})
    known: dict[str, bytes] = {}
    unreadable: dict[str, str] = {}
    found: list[SetMaker] = []
    for each in sets:
        # its own alone, as what changes in those of others is none of its matter
        contents = {each.path: manifests[each.path]} if each.path in manifests else {}
        refused: dict[str, str] = {}
        around = Surroundings(
            tree=tree, is_here=is_here, contents=contents, refused=refused, clusters=clusters
        )
        while (evaluation := evaluate(each, around, renderer=renderer)).unread:
            wanted = evaluation.unread - known.keys() - unreadable.keys()
            if wanted:
                files = repository.read(commit, wanted)
                known |= files.contents
                gone = wanted - known.keys()
                unreadable |= {**dict.fromkeys(gone, "is not there"), **files.refused}
            contents |= {path: known[path] for path in evaluation.unread & known.keys()}
            refused |= {path: unreadable[path] for path in evaluation.unread & unreadable.keys()}
        found.append(SetMaker(each, around, renderer, evaluation))
    return found
