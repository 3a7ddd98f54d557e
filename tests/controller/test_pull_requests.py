"""What a pull request says, and that nothing in it is taken for a mark, a link or a mention."""

from dataclasses import replace

from gitops_backup.controller.along import Along
from gitops_backup.controller.drafting import Draft, Left
from gitops_backup.controller.messages import ImageChange, commit_message, is_made_by
from gitops_backup.controller.pull_requests import closing_text, mark, pull_request_text
from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.sources.replacements import ObjectId
from tests.controller.cluster import DIGEST, NAMING

_LARGEST = 65_536


def change(name: str, image: str = "nginx:1.25") -> ImageChange:
    """A change of a Deployment's first container."""
    source = Reference.parse(image)
    return ImageChange(
        "argocd/shop", WorkloadKey("Deployment", "shop", name), "c0", source, NAMING.backup(source), DIGEST
    )


def _draft(*changes: ImageChange, left: tuple[Left, ...] = (), along: tuple[Along, ...] = ()) -> Draft:
    files = {f"{c.workload.name}.yaml": b"after" for c in changes}
    before = dict.fromkeys(files, b"before")
    return Draft(
        "c" * 40, before=before, files=files, edited=list(changes), left=list(left), along=list(along)
    )


def test_the_images_stand_in_a_table() -> None:
    """Each once, with what it becomes and who uses it."""
    text = pull_request_text(_draft(change("web"), change("api"), change("db", "redis:7")))
    assert text.title == "chore(images): use backups for 2 images in 1 application"
    assert (
        "| `docker.io/library/nginx:1.25` | `bak.example/m/library_nginx:1.25` "
        "| `Deployment/shop/api`, `Deployment/shop/web` |\n"
    ) in text.body
    assert "3 files, 3 containers." in text.body
    assert "Left out" not in text.body
    assert "Changes with them" not in text.body


def test_new_files_are_listed() -> None:
    """So that who looks for the value finds it."""
    body = pull_request_text(replace(_draft(change("web"), change("api")), before={"api.yaml": b""})).body
    assert "### New files\n" in body
    assert "| `web.yaml` |\n" in body
    assert "| `api.yaml` |" not in body
    assert "### New files" not in pull_request_text(_draft(change("web"))).body


def test_the_same_changes_make_the_same_text() -> None:
    """In any order."""
    changes = [change("web"), change("api"), change("db", "redis:7")]
    assert pull_request_text(_draft(*changes)) == pull_request_text(_draft(*reversed(changes)))


def test_what_is_left_out_says_why_and_marks_nothing() -> None:
    """Nor does it mention anybody, or end the table."""
    message = "a | <b> @team `x`\n# [no](https://evil.example)"
    left = Left(change("web"), Reason.PROOF_FAILED, message)
    thing = ObjectId.of(WorkloadKey("StatefulSet", "shop", "db"))
    along = Along("argocd/shop", thing, "container c|0", "nginx:1.25", "b")
    body = pull_request_text(_draft(change("api"), left=(left,), along=(along,))).body
    row = next(line for line in body.splitlines() if "ProofFailed" in line)
    assert row.startswith(
        "| `Deployment/shop/web` | `docker.io/library/nginx:1.25` | ProofFailed | a \\| \\<b\\>"
    )
    assert "@team" not in body
    assert "](" not in row.replace("\\]", "")
    assert r"`container c\|0`" in body


def test_a_text_is_never_too_long() -> None:
    """Not for two thousand workloads, each with an image of its own, and as many that are left out."""
    changes = [change(f"app-{n}", f"team/app-{n}:1.{n}") for n in range(2000)]
    left = tuple(Left(change(f"l-{n}"), Reason.RENDER_FAILED, "m" * 2000) for n in range(2000))
    body = pull_request_text(_draft(*changes, left=left)).body
    assert len(body) < _LARGEST
    assert body.count(" more |") == 2
    assert mark(changes) in body


def test_the_mark_is_about_what_is_changed_alone() -> None:
    """Not about the commit or the rest of the files; another image, or another workload, is another mark."""
    one = [change("web"), change("api")]
    assert mark(one) == mark(one[::-1])
    assert mark(one) == mark([replace(each, digest="sha256:" + "b" * 64) for each in one])
    marks = {mark(one), mark(one[:1]), mark([change("web", "nginx:1.26"), one[1]]), mark([])}
    assert len(marks) == 4
    assert mark(one) not in closing_text("title").body


def test_a_commit_names_its_controller_where_that_matters() -> None:
    """In a line of its own, behind the other trailers."""
    message = commit_message([change("web")], controller="1-2-3")
    assert message.endswith("Backup-Controller: 1-2-3\n")
    assert is_made_by(message, "1-2-3")
    assert not is_made_by(message, "1-2")
    assert not is_made_by(commit_message([change("web")]), "1-2-3")
