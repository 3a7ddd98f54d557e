"""What an edit may change in a rendering, and what is asked of one."""

from collections.abc import Callable, Sequence

import pytest

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.sources.rendered import Rendered, read_rendering
from gitops_backup.sources.rendered_proof import NotExplained, asked, proven
from tests.sources.samples import NEW, OLD, deployment, replacement

COPIES = {Reference.parse(OLD): NEW}
DUE = replacement()


def read(*documents: str) -> tuple[Rendered, ...]:
    """A rendering of these documents."""
    return read_rendering("\n---\n".join(documents).encode(), namespace="shop")


def web(image: str, *, more: str = "", name: str = "web") -> str:
    """A Deployment with a container, and perhaps more lines in it."""
    return deployment(f"image: {image}" + (f"\n{more}" if more else ""), name=name)


def never() -> Sequence[Rendered]:
    """Stands where nothing needs to be rendered again."""
    raise AssertionError


def same(rendering: Sequence[Rendered]) -> Callable[[], Sequence[Rendered]]:
    """Renders the same again."""
    return lambda: rendering


@pytest.mark.parametrize(
    ("text", "outcome", "message"),
    [
        ("nginx:1.25", "due", ""),
        ("docker.io/library/nginx:1.25", "due", ""),
        (NEW, "done", ""),
        (
            "nginx:1.26",
            Reason.AWAITING_SYNC,
            (
                "the chart renders nginx:1.26 for Deployment shop/web, container web, "
                "not docker.io/library/nginx:1.25"
            ),
        ),
        (
            "'?'",
            Reason.AWAITING_SYNC,
            "the chart renders ? for Deployment shop/web, container web, not docker.io/library/nginx:1.25",
        ),
        ("12", Reason.NOT_FOUND_IN_SOURCE, "the chart renders no Deployment shop/web, container web"),
    ],
)
def test_what_is_asked_is_sorted(text: str, outcome: str, message: str) -> None:
    """By what the container's image means now; the last of two objects of a name counts."""
    sorted_out = asked([DUE], read(web("other:1"), web(text)), source="the chart")
    if outcome == "due":
        assert sorted_out.due[DUE].text == text
    assert sorted_out.done == ((DUE,) if outcome == "done" else ())
    assert [(r.replacement, r.reason, r.message) for r in sorted_out.refused] == (
        [(DUE, outcome, message)] if message else []
    )


def test_images_become_their_copies() -> None:
    """In every container, in whatever form, and in the same way where the exact text stands besides."""
    before = read(
        web(OLD, more=f"args: ['{OLD}', '--x={OLD}']"), web("docker.io/library/nginx:1.25", name="b")
    )
    after = read(web(NEW, more=f"args: ['{NEW}', '--x={OLD}']"), web(NEW, name="b"))
    found = proven(before, after, copies=COPIES, again=never)
    assert [(image.workload.name, image.text, now) for image, now in found.images.items()] == [
        ("web", OLD, NEW),
        ("b", "docker.io/library/nginx:1.25", NEW),
    ]
    assert [each.steps[-2:] for each in found.elsewhere] == [("args", 0)]


@pytest.mark.parametrize(
    ("before", "after", "reason", "message"),
    [
        (
            web("redis:7"),
            web("bak.example/m/library_redis:7"),
            Reason.BACKUP_PENDING,
            (
                "with it would change redis:7 of Deployment shop/web, container web, "
                "of which there is no verified copy yet"
            ),
        ),
        (
            web(OLD),
            web("bak.example/m/library_nginx:1.26"),
            Reason.PROOF_FAILED,
            (
                f"expected {NEW} in place of the image, but Deployment shop/web, "
                "spec.template.spec.containers[0].image: 'nginx:1.25' would become "
                "'bak.example/m/library_nginx:1.26'"
            ),
        ),
        (
            web(OLD, more="args: ['--x=nginx:1.25']"),
            web(NEW, more=f"args: ['--x={NEW}']"),
            Reason.PROOF_FAILED,
            (
                "more than images would change: Deployment shop/web, "
                "spec.template.spec.containers[0].args[0]: '--x=nginx:1.25' would become "
                f"'--x={NEW}'"
            ),
        ),
        (
            web(OLD),
            web(OLD, more=f"args: [{NEW}]"),
            Reason.PROOF_FAILED,
            (
                "more than images would change: Deployment shop/web, "
                "spec.template.spec.containers[0].args: nothing would become a list"
            ),
        ),
        (
            web("'?'"),
            web(NEW),
            Reason.BACKUP_PENDING,
            "with it would change ? of Deployment shop/web, container web, of which",
        ),
        (web(OLD), web("[]"), Reason.PROOF_FAILED, f"expected {NEW} in place of the image, but Deployment"),
    ],
)
def test_what_is_not_explained_is_refused(before: str, after: str, reason: Reason, message: str) -> None:
    """The first difference that counts is named."""
    with pytest.raises(NotExplained) as refused:
        proven(read(before), read(after), copies=COPIES, again=same(read(before)))
    assert (refused.value.reason, refused.value.message[: len(message)]) == (reason, message)


def test_what_differs_by_itself_is_left_out() -> None:
    """Random values may be anything, with all that is in them; images may not."""
    before, other = web(OLD, more="env: [{name: R, value: a}]"), web(OLD, more="env: [{name: R, value: b}]")
    after = web(NEW, more="env: [{name: R, value: c}]")
    assert len(proven(read(before), read(after), copies=COPIES, again=same(read(other))).images) == 1
    grown = web(NEW, more="env: [{name: R, value: {c: d}}]")
    assert len(proven(read(before), read(grown), copies=COPIES, again=same(read(other))).images) == 1
    for image, more in (("redis:8", "value: a"), (NEW, "value: a, x: y"), (NEW, "value: c}, {name: S")):
        changed = web(image, more=f"env: [{{name: R, {more}}}]")
        with pytest.raises(NotExplained):
            proven(read(before), read(changed), copies=COPIES, again=same(read(other)))
    random = web("redis:9", more="env: [{name: R, value: b}]")
    with pytest.raises(NotExplained):
        proven(read(before), read(web("redis:8")), copies=COPIES, again=same(read(random)))
