"""Drafts of branches from which Applications are rendered: files that several of them read."""

from gitops_backup.controller.drafting import Draft, draft
from gitops_backup.controller.messages import ImageChange
from gitops_backup.controller.parts import Part
from gitops_backup.sources.rendering import Renderer
from tests.controller.cluster import application, source, workload
from tests.controller.memory import COMMIT, NO_RENDERER, MemoryBranch, manifest
from tests.controller.test_drafting import part_of

_URL = "https://git.example/shop"
_NGINX = "bak.example/m/library_nginx"
_IMAGE = "'{{ .Values.image }}:1.25'"
_CONFIG = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  image: {_IMAGE}\n".encode()


def _branch(*, base_images: bytes = b"") -> MemoryBranch:
    """Two overlays; the second one has the first one as its base."""
    return MemoryBranch(
        {
            "base/kustomization.yaml": b"resources: [web.yaml]\n" + base_images,
            "base/web.yaml": manifest("web", "nginx:1.25"),
            "top/kustomization.yaml": b"resources: [../base]\nnameSuffix: -top\n",
        }
    )


def _part(name: str, path: str, *images: str) -> Part:
    made = application(name, source(_URL, path))
    return part_of(made, *(workload("web" if path == "base" else "web-top", image) for image in images))


def _left(drafted: Draft) -> dict[ImageChange, str]:
    return {left.change: f"{left.reason}: {left.message}" for left in drafted.left}


def test_a_base_is_edited_where_its_readers_change_in_copies_alone(renderer: Renderer) -> None:
    """The overlay upon it has nothing due of its own; it runs the same image."""
    parts, readers = [_part("base", "base", "nginx:1.25")], [_part("top", "top")]
    drafted = draft(_branch(), COMMIT, parts, renderer=renderer, readers=readers)
    assert drafted.files == {
        "base/kustomization.yaml": b"resources: [web.yaml]\nimages:\n- name: nginx\n  newName: %s\n"
        % _NGINX.encode()
    }
    assert not drafted.left
    assert [(each.application, str(each)) for each in drafted.along] == [
        ("argocd/top", "Deployment shop/web-top, container c0")
    ]


def test_a_base_is_left_where_a_reader_would_change_in_more(renderer: Renderer) -> None:
    """The overlay patches in another tag, of which there is no copy: what it renders would name one."""
    branch = _branch()
    branch.files["top/kustomization.yaml"] += (
        b"images: [{name: nginx, newTag: '1.26'}, {name: bak.example/m/library_nginx, newTag: '1.27'}]\n"
    )
    parts, readers = [_part("base", "base", "nginx:1.25")], [_part("top", "top")]
    drafted = draft(branch, COMMIT, parts, renderer=renderer, readers=readers)
    assert not drafted.files
    ((_, why),) = _left(drafted).items()
    assert why.startswith(
        "ProofFailed: base/kustomization.yaml, line 4, is read for the Application argocd/top, too: "
    )
    assert "nginx:1.26" in why
    assert drafted.left[0].difference == (
        "--- Deployment shop/web-top\n"
        "+++ Deployment shop/web-top\n"
        "@@ spec.template.spec.containers[0].image @@\n"
        "-nginx:1.26\n"
        "+bak.example/m/library_nginx:1.27\n"
    )
    assert not drafted.along


def test_what_is_left_does_not_hold_back_the_rest(renderer: Renderer) -> None:
    """A directory beside it is edited all the same."""
    branch = _branch()
    branch.files["top/kustomization.yaml"] += b"images: [{name: nginx, newTag: '1.26'}]\n"
    branch.files["plain/api.yaml"] = manifest("api", "redis:7")
    plain = part_of(application("plain", source(_URL, "plain")), workload("api", "redis:7"))
    parts = [_part("base", "base", "nginx:1.25"), plain]
    drafted = draft(branch, COMMIT, parts, renderer=renderer, readers=[_part("top", "top")])
    assert list(drafted.files) == ["plain/api.yaml"]
    assert len(drafted.left) == 1


def test_a_reader_that_cannot_be_rendered_speaks_against_an_edit(renderer: Renderer) -> None:
    """What would become of it cannot be shown."""
    branch = _branch()
    branch.files["top/kustomization.yaml"] += b"patches: [{path: gone.yaml}]\n"
    parts, readers = [_part("base", "base", "nginx:1.25")], [_part("top", "top")]
    drafted = draft(branch, COMMIT, parts, renderer=renderer, readers=readers)
    assert not drafted.files
    assert len(drafted.left) == 1


def test_an_edit_that_serves_two_applications_is_on_record_for_both(renderer: Renderer) -> None:
    """A revert of the commit is somebody's word about the workloads of both."""
    parts = [_part(name, "base", "nginx:1.25") for name in ("one", "two")]
    drafted = draft(_branch(), COMMIT, parts, renderer=renderer)
    assert len(drafted.edited) == 2
    assert len(drafted.files) == 1
    assert not drafted.done


def test_applications_that_share_nothing_are_rendered_side_by_side(renderer: Renderer) -> None:
    """What comes of them does not depend on which is done first."""
    files: dict[str, bytes] = {}
    parts = []
    for number in range(6):
        files[f"app-{number}/kustomization.yaml"] = b"resources: [web.yaml]\n"
        files[f"app-{number}/web.yaml"] = manifest("web", f"nginx:1.{number}")
        made = application(f"app-{number}", source(_URL, f"app-{number}"))
        parts.append(part_of(made, workload("web", f"nginx:1.{number}")))
    first, second = (draft(MemoryBranch(files), COMMIT, parts, renderer=renderer) for _ in range(2))
    assert sorted(first.files) == [f"app-{number}/kustomization.yaml" for number in range(6)]
    assert (first.edited, first.files, first.left) == (second.edited, second.files, [])


def test_what_is_fed_by_the_same_value_is_told(helm_renderer: Renderer) -> None:
    """A StatefulSet with the same image, an argument, a text elsewhere; not what was asked for."""
    web, db = (manifest(name, _IMAGE, kind=k) for name, k in (("web", "Deployment"), ("db", "StatefulSet")))
    more = b"          args: [serve, %s]\n---\n%s---\n%s" % (_IMAGE.encode(), db, _CONFIG)
    files = {
        "chart/Chart.yaml": b"apiVersion: v2\nname: shop\nversion: 1.0.0\n",
        "chart/values.yaml": b"image: nginx\n",
        "chart/templates/all.yaml": web + more,
    }
    part = part_of(application("base", source(_URL, "chart")), workload("web", "nginx:1.25"))
    drafted = draft(MemoryBranch(files), COMMIT, [part], renderer=helm_renderer)
    assert drafted.files == {"chart/values.yaml": f"image: {_NGINX}\n".encode()}
    assert [str(each) for each in drafted.along] == [
        "ConfigMap shop/c, data.image",
        "Deployment shop/web, spec.template.spec.containers[0].args[1]",
        "StatefulSet shop/db, container c0",
    ]
    assert {(each.before, each.now) for each in drafted.along} == {("nginx:1.25", f"{_NGINX}:1.25")}


def test_what_shares_an_anchor_is_told() -> None:
    """Where nothing is rendered, too."""
    web = manifest("web", "&i nginx:1.25").decode()
    job = manifest("job", "*i", kind="StatefulSet").decode()
    items = "".join(f"- {text.replace(chr(10), chr(10) + '  ').rstrip()}\n" for text in (web, job))
    branch = MemoryBranch({"plain/all.yaml": f"apiVersion: v1\nkind: List\nitems:\n{items}".encode()})
    part = part_of(application("base", source(_URL, "plain")), workload("web", "nginx:1.25"))
    drafted = draft(branch, COMMIT, [part], renderer=NO_RENDERER)
    assert [str(each) for each in drafted.along] == ["StatefulSet shop/job, container c0"]
