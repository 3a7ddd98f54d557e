"""What a pull request says: which images become which, what was proven, and what is left out and why.

The same draft gives the same text, so that a text is written again only where there is something else to say.
Names and sentences come from repositories: they are shown as code, or with everything escaped that would be a
mark, a link or a mention.
"""

import hashlib
from collections.abc import Iterator, Sequence

from gitops_backup.controller.drafting import Draft, Left
from gitops_backup.controller.messages import ImageChange, commit_title
from gitops_backup.domain.pull_requests import PullRequestText
from gitops_backup.errors import count
from gitops_backup.report.markup import code, listed, row, text

_LONGEST_BODY = 60_000
"""In characters; GitHub takes 65,536."""
_HEAD = ("Image", "Becomes", "Used by")
_ALONG = ("Object", "Place", "Image", "Becomes")
_NEW = ("File",)
_LEFT = ("Workload", "Image", "Reason", "Why")


def pull_request_text(drafted: Draft) -> PullRequestText:
    """The text of the pull request for a draft that changes something."""
    blocks = (_images(drafted), _along(drafted), _new(drafted), _proof(drafted), _left_out(drafted))
    body = "\n".join("\n".join([*block, ""]) for block in map(list, blocks) if block)
    return PullRequestText(commit_title(drafted.edited), f"{body}\n{mark(drafted.edited)}\n")


def closing_text(title: str) -> PullRequestText:
    """The text of a pull request that is closed because nothing is left to change; it has no mark."""
    body = "Closed, as nothing is left to change: it is there by now, or nobody uses these images any more.\n"
    return PullRequestText(title, body)


def mark(changes: Sequence[ImageChange]) -> str:
    """What tells, unseen, which changes a pull request is about, whatever else was changed in its files."""
    about = sorted(f"{c.application}\n{c.workload}\n{c.container}\n{c.source}\n{c.backup}" for c in changes)
    digest = hashlib.sha256("\n\n".join(about).encode()).hexdigest()
    return f"<!-- gitops-backup: {digest[:32]} -->"


def _images(drafted: Draft) -> Iterator[str]:
    yield "Each of these images is replaced by its copy, which was verified: it has the same digest."
    yield ""
    yield from (row(_HEAD), row(["---"] * len(_HEAD)))
    by_source: dict[tuple[str, str], list[ImageChange]] = {}
    for change in drafted.edited:
        by_source.setdefault((str(change.source), str(change.backup)), []).append(change)
    rows = [
        row((code(source), code(backup), listed(sorted({code(str(c.workload)) for c in changes}))))
        for (source, backup), changes in sorted(by_source.items())
    ]
    yield from _fitting(rows, len(_HEAD))


def _proof(drafted: Draft) -> Iterator[str]:
    yield "### Proof"
    yield ""
    changed = f"{count(len(drafted.files), 'file')}, {count(len(drafted.edited), 'container')}."
    yield (
        f"{changed} Each file was parsed or rendered before and after, for every Application that is deployed"
        " from it: nothing differs but what stands here."
    )


def _along(drafted: Draft) -> Iterator[str]:
    if not drafted.along:
        return
    yield from ("### Changes with them", "", row(_ALONG), row(["---"] * len(_ALONG)))
    rows = [
        row((code(f"{each.object}"), code(each.place), code(each.before), code(each.now)))
        for each in drafted.along
    ]
    yield from _fitting(rows, len(_ALONG))


def _new(drafted: Draft) -> Iterator[str]:
    """The files that are made: who looks for a value where it was would not find them."""
    new = sorted(drafted.files.keys() - drafted.before.keys())
    if not new:
        return
    yield from ("### New files", "")
    yield (
        "No file that can be written has the last word on some of these images. So theirs stand beside the"
        " source, where Argo CD merges them over what the Application says."
    )
    yield from ("", row(_NEW), row(["---"]))
    yield from _fitting([row((code(path),)) for path in new], len(_NEW))


def _left_out(drafted: Draft) -> Iterator[str]:
    if not drafted.left:
        return
    yield from ("### Left out", "", row(_LEFT), row(["---"] * len(_LEFT)))
    yield from _fitting([_why(left) for left in sorted(drafted.left, key=_order)], len(_LEFT))


def _why(left: Left) -> str:
    change = left.change
    return row((code(str(change.workload)), code(str(change.source)), str(left.reason), text(left.message)))


def _order(left: Left) -> tuple[str, ...]:
    return str(left.change.workload), left.change.container, str(left.reason), left.message


def _fitting(rows: Sequence[str], columns: int) -> Iterator[str]:
    """Rows of a table as long as there is room, a quarter of it for each; and how many there are besides."""
    room = _LONGEST_BODY // 4
    for number, each in enumerate(rows):
        room -= len(each) + 1
        if room < 0:
            yield row([f"and {len(rows) - number} more", *[""] * (columns - 1)])
            return
        yield each
