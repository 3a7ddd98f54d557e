"""Edits of charts: what is not written, and why, and charts of people who mean harm."""

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.rendering.limits import Limits
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.replacements import ImageUse, ObjectId
from tests.sources.charts import CHART, Counting, application, edit
from tests.sources.samples import NEW, OLD, WEB, deployment, replacement

IMAGE = 'image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"'
VALUES = b"image:\n  repository: nginx\n  tag: '1.25'\n"
DUE = replacement()
DEPENDENCY = b"dependencies: [{name: r, version: 1.x.x, repository: 'https://charts.example'}]\n"


def chart(
    template: str = IMAGE, *, values: bytes = VALUES, more: dict[str, bytes] | None = None
) -> dict[str, bytes]:
    """A chart in `app` that deploys `web`, with more files."""
    web = template if "\n" in template else deployment(template)
    files = {"Chart.yaml": CHART, "values.yaml": values, "templates/web.yaml": web.encode()}
    return {f"app/{path}": content for path, content in (files | (more or {})).items()}


def outcome(renderer: LocalRenderer, files: dict[str, bytes], **helm: Any) -> tuple[Reason, str]:
    """Why the Deployment's image is not written; nothing may be."""
    result = edit(renderer, application(helm), files, [DUE])
    assert (result.edits, result.replaced, result.done, result.images) == ({}, (), (), ())
    (refused,) = result.refused
    assert refused.replacement == DUE
    assert refused.message == " ".join(refused.message.split())
    return refused.reason, refused.message


def test_other_containers_that_change_are_told(helm_renderer: LocalRenderer) -> None:
    """With the file and the line that moves them, also those of other kinds."""
    template = f"{deployment(IMAGE)}---\n{deployment(IMAGE, kind='StatefulSet', name='db')}"
    result = edit(helm_renderer, application(), chart(template), [DUE])
    other = ImageUse(
        "app/values.yaml", 2, ObjectId("apps", "StatefulSet", "shop", "db"), "web", False, OLD, NEW
    )
    (replaced,) = result.replaced
    assert replaced.also == (other,)
    assert set(result.images) == {other, ImageUse("app/values.yaml", 2, WEB, "web", False, OLD, NEW)}


def test_objects_with_names_by_chance_are_compared(helm_renderer: LocalRenderer) -> None:
    """With those that are there the next time; their images change with the others, and are told."""
    name = "job-{{ randAlphaNum 5 | lower }}"
    template = f"{deployment(IMAGE)}---\n{deployment(IMAGE, kind='StatefulSet', name=name)}"
    result = edit(helm_renderer, application(), chart(template), [DUE])
    assert [use.workload.name[:4] for use in result.replaced[0].also] == ["job-"]
    values = VALUES + b"extra: nginx:1.25\n"
    odd = template.replace("ports:", 'args: ["{{ .Values.image.repository }}"]\n          ports:')
    result = edit(helm_renderer, application(), chart(odd, values=values), [DUE])
    assert [each.reason for each in result.refused] == [Reason.SHARED_SCALAR]


def test_nothing_is_added_to_value_files_that_others_share(helm_renderer: LocalRenderer) -> None:
    """The key goes to the last file of the Application's own, or else to the chart's values."""
    files = chart(more={"own.yaml": b"a: b\n", "all.yaml": b"c: d\n"})
    app = application({"valueFiles": ["own.yaml", "all.yaml"]})
    shared = frozenset({"app/all.yaml"})
    assert list(edit(helm_renderer, app, files, [DUE]).edits) == ["app/all.yaml"]
    assert list(edit(helm_renderer, app, files, [DUE], shared=shared).edits) == ["app/own.yaml"]
    both = shared | {"app/own.yaml"}
    assert list(edit(helm_renderer, app, files, [DUE], shared=both).edits) == ["app/values.yaml"]


def test_a_change_that_cannot_be_proven_holds_back_no_other(helm_renderer: LocalRenderer) -> None:
    """Each group of images that share values is proven by itself where all together are not."""
    api = replacement(
        ObjectId("apps", "Deployment", "shop", "api"), old="redis:7", new="bak.example/m/redis:7"
    )
    sums = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {sum: {{ sha256sum .Values.api }}}\n"
    template = f"{deployment(IMAGE)}---\n{deployment('image: {{ .Values.api }}', name='api')}---\n{sums}"
    result = edit(
        helm_renderer, application(), chart(template, values=VALUES + b"api: redis:7\n"), [DUE, api]
    )
    assert [each.replacement for each in result.replaced] == [DUE]
    assert [(each.replacement, each.reason) for each in result.refused] == [(api, Reason.PROOF_FAILED)]
    assert result.edits == {
        "app/values.yaml": VALUES.replace(b"nginx", NEW[:-5].encode()) + b"api: redis:7\n"
    }


SUM = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
SUM += "data: {sum: {{ sha256sum .Values.image.repository }}}\n"


def test_what_shares_values_stands_or_falls_together(helm_renderer: LocalRenderer) -> None:
    """Two images with one host are proven as one, and beside them one with a host of its own."""
    due = {
        name: replacement(
            ObjectId("apps", "Deployment", "shop", name), old=f"{name}:1", new=f"bak.example/m/{name}:1"
        )
        for name in ("web", "api", "db")
    }
    names = {name: f"image: {{{{ .Values.host }}}}/{{{{ .Values.{name} }}}}:1" for name in ("web", "api")}
    names["db"] = "image: {{ .Values.db }}:1"
    template = "---\n".join(deployment(image, name=name) for name, image in names.items())
    template += "---\n" + SUM.replace(".image.repository", ".web")
    values = b"host: docker.io\nweb: library/web\napi: library/api\ndb: db\n"
    result = edit(helm_renderer, application(), chart(template, values=values), list(due.values()))
    assert [each.replacement for each in result.replaced] == [due["db"]]
    assert {each.replacement: each.reason for each in result.refused} == {
        due["web"]: Reason.PROOF_FAILED,
        due["api"]: Reason.PROOF_FAILED,
    }


def test_a_key_that_would_be_added_is_named(helm_renderer: LocalRenderer) -> None:
    """Where adding it changes more than images, the message says to which file it would go."""
    files = chart(f"{deployment(IMAGE)}---\n{SUM}", more={"prod.yaml": b"a: b\n"})
    reason, message = outcome(helm_renderer, files, valueFiles=["prod.yaml"])
    assert reason == Reason.PROOF_FAILED
    assert message.startswith(
        "app/prod.yaml, with image.repository added: more than images would change: ConfigMap"
    )


def test_texts_that_are_only_alike_are_left_if_the_chart_minds(helm_renderer: LocalRenderer) -> None:
    """A mark in them may be more than a chart takes; then what is known without them stands."""
    minding = '{{ if ne .Values.kind "nginx" }}{{ fail "no such kind" }}{{ end }}'
    template = f"{minding}\n{deployment('image: docker.io/library/{{ .Values.kind }}:1.25')}"
    reason, message = outcome(helm_renderer, chart(template, values=b"kind: nginx\n"))
    assert reason == Reason.UNSUPPORTED_SOURCE
    assert message.startswith("the chart in app puts docker.io/library/nginx:1.25 together")


def test_defaults_that_cannot_be_reached_are_left(helm_renderer: LocalRenderer) -> None:
    """An item of a list in an archive cannot be set on its own; values may be too deep to be read here."""
    listed = chart("image: {{ (index .Values.images 0).image }}", values=b"images:\n- image: nginx:1.25\n")
    dependency = {f"web/{path[4:]}": content for path, content in listed.items()}
    umbrella = {"app/Chart.yaml": CHART.replace(b"web", b"shop"), "app/charts/web.tgz": archived(dependency)}
    assert outcome(helm_renderer, {**umbrella, "app/values.yaml": b"a: b\n"})[0] == Reason.UNSUPPORTED_SOURCE
    deep = chart(values=VALUES + b"a: " + b"[" * 250 + b"]" * 250)
    assert outcome(helm_renderer, deep)[0] == Reason.UNSUPPORTED_SOURCE
    hidden = chart(
        "image: {{ .Values.a.b | default .Values.image.repository }}:1.25", more={"x.yaml": b"image: nginx\n"}
    )
    assert outcome(helm_renderer, hidden, valueFiles=["x.yaml"])[0] == Reason.RENDER_FAILED


def test_three_renderings_do(helm_renderer: LocalRenderer) -> None:
    """As it is, with marks, and as it shall be; where there is nothing to do, one."""
    counting = Counting(helm_renderer)
    edited = edit(counting, application(), chart(), [DUE])
    assert counting.count == 3
    edit(counting, application(), {**chart(), **edited.edits}, [DUE])
    assert counting.count == 4


def test_a_values_file_that_only_archives_could_give_is_missed(helm_renderer: LocalRenderer) -> None:
    """Where there is no file to add a key to, the image is left."""
    files = chart()
    dependency = {f"web/{path[4:]}": content for path, content in files.items()}
    umbrella = {"app/Chart.yaml": CHART.replace(b"web", b"shop"), "app/charts/web.tgz": archived(dependency)}
    reason, message = outcome(helm_renderer, umbrella)
    assert reason == Reason.UNSUPPORTED_SOURCE
    assert (
        message
        == "the chart in app has no value file in the repository that could say other than nginx:1.25: "
        "add a values.yaml to it, or name one in helm.valueFiles of the Application"
    )
    result = edit(helm_renderer, application(), {**umbrella, "app/values.yaml": b"a: b\n"}, [DUE])
    assert result.edits == {
        "app/values.yaml": b"a: b\nweb:\n  image:\n    repository: bak.example/m/library_nginx\n"
    }


def test_odd_names_of_files_are_files_like_others(helm_renderer: LocalRenderer) -> None:
    """Line breaks, quotes and blanks in names; in messages they are one line."""
    files = chart(more={"files/new\nline": b"x", "files/-rf": b"x", "val, 'ues\" x.yaml": VALUES})
    result = edit(helm_renderer, application({"valueFiles": ["val, 'ues\" x.yaml"]}), files, [DUE])
    assert list(result.edits) == ["app/val, 'ues\" x.yaml"]
    template = (
        deployment("image: {{ .Values.image.repository }}:1.25") + "# {{ fail .Values.image.repository }}"
    )
    broken = {**files, "app/templates/new\nline.yaml": template.encode()}
    assert outcome(helm_renderer, broken)[0] == Reason.RENDER_FAILED


def test_texts_that_a_template_works_on_are_left(helm_renderer: LocalRenderer) -> None:
    """Whatever it makes of marks: nothing is written that was not seen to come out as it is."""
    for function in ('replace "0000" "9999"', 'replace "z" "q"', "upper | lower | trunc 5", "reverse"):
        template = f"image: {{{{ .Values.image.repository | {function} }}}}:1.25"
        assert edit(helm_renderer, application(), chart(template), [DUE]).edits == {}


@pytest.mark.parametrize(
    ("prod", "edited"),
    [
        (b"image: {tag: '1.25'}\n---\na: b\n", ["app/prod.yaml"]),
        (b"x: &x 1\ny:\n- *x\n", ["app/values.yaml"]),
        (b"image: []\n", []),
        (b"- a\n", []),
        (b"? [a]\n: b\n", []),
    ],
)
def test_where_a_key_cannot_be_added_the_default_is_edited(
    prod: bytes, edited: list[str], helm_renderer: LocalRenderer
) -> None:
    """A value file may have no room that can be told; what Helm itself does not take is told."""
    app, files = application({"valueFiles": ["prod.yaml"]}), chart(more={"prod.yaml": prod})
    result = edit(helm_renderer, app, files, [DUE])
    assert list(result.edits) == edited
    assert [each.reason for each in result.refused] == ([] if edited else [Reason.RENDER_FAILED])


def test_other_images_may_be_none(helm_renderer: LocalRenderer) -> None:
    """A container whose image is no reference, or a very long text beside, is nobody's copy."""
    template = f"{deployment(IMAGE)}---\n{deployment('image: No Image', name='other')}"
    values = VALUES + b"long: " + b"n" * 5000 + b"\n"
    assert list(edit(helm_renderer, application(), chart(template, values=values), [DUE]).edits) == [
        "app/values.yaml"
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (b"webImage: library/nginx\n", b"webImage: m/library_nginx\nwebRegistry: bak.example\n"),
        (b"img: library/nginx\n", None),
        (b"webs:\n- image: library/nginx\n", None),
        (b"webImage: library/nginx\nwebRegistry: ~\n", None),
    ],
)
def test_a_host_of_the_templates_own_is_overridden(
    values: bytes, expected: bytes | None, helm_renderer: LocalRenderer
) -> None:
    """By a key beside the rest of the name, where a template asks for one that can be guessed and is seen."""
    listed = "(index (.Values.webs | default (list dict)) 0).image"
    name = f".Values.webImage | default .Values.img | default {listed}"
    template = f'image: {{{{ .Values.webRegistry | default "docker.io" }}}}/{{{{ {name} }}}}:1.25'
    result = edit(helm_renderer, application(), chart(template, values=values), [DUE])
    assert result.edits == ({} if expected is None else {"app/values.yaml": expected})


UNUSABLE: dict[str, tuple[dict[str, bytes], dict[str, Any], Reason, str]] = {
    "a chart that fails": (
        chart('image: {{ fail "no\nway" }}'),
        {},
        Reason.RENDER_FAILED,
        "the chart in app cannot be rendered: helm says: ",
    ),
    "no chart": (
        {"app/values.yaml": VALUES},
        {"releaseName": "web"},
        Reason.RENDER_FAILED,
        "the chart in app cannot be rendered: helm says: Chart.yaml file is missing",
    ),
    "a dependency that is not there": (
        chart() | {"app/Chart.yaml": CHART + DEPENDENCY},
        {},
        Reason.RENDER_FAILED,
        "the chart in app cannot be rendered: helm says: An error occurred while checking for",
    ),
    "no objects": (
        chart("[a]\n"),
        {},
        Reason.RENDER_FAILED,
        "the chart in app cannot be rendered: ",
    ),
    "a value file from elsewhere": (
        chart(),
        {"valueFiles": ["secrets://values.example/x.yaml"]},
        Reason.UNSUPPORTED_SOURCE,
        "the value file secrets://values.example/x.yaml is not in Git",
    ),
    "files as parameters": (
        chart(),
        {"fileParameters": [{"name": "a", "path": "b"}]},
        Reason.NOT_FOUND_IN_SOURCE,
        "the value file b is not in the repository",
    ),
    "another release": (
        chart(
            "image: nginx:1.25",
            more={"templates/x.yaml": b'{{ if ne .Release.Name "web" }}{{ fail "x" }}{{ end }}'},
        ),
        {"releaseName": "other"},
        Reason.RENDER_FAILED,
        "the chart in app cannot be rendered: helm says: execution error at (web/templates/x.yaml:1:",
    ),
    "the environment": (
        chart('image: {{ env "IMAGE" }}'),
        {},
        Reason.RENDER_FAILED,
        "the chart in app cannot be rendered: helm says: parse error at (web/templates/web.yaml:",
    ),
    "a bomb of values": (
        chart(
            values=b"a0: &a0 x\n"
            + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 9))
        ),
        {},
        Reason.RENDER_FAILED,
        "the chart in app cannot be rendered: helm ",
    ),
    "values that are too deep": (
        chart(values=b"image: {repository: nginx, tag: '1.25'}\na: " + b"[" * 10_000 + b"]" * 10_000),
        {},
        Reason.RENDER_FAILED,
        "the chart in app ",
    ),
    "an archive that is a bomb": (
        chart(more={"charts/bomb.tgz": gzip.compress(bytes(150_000_000), 1)}),
        {},
        Reason.UNSUPPORTED_SOURCE,
        "app/charts/bomb.tgz is no archive of a chart, or one that is too large to look into",
    ),
    "a large file that is no values": (
        chart(values=b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
        {},
        Reason.RENDER_FAILED,
        "the chart in app cannot be rendered: helm says: ",
    ),
    "an image by chance": (
        chart('image: nginx:{{ index (list "1.25" "1.25" "1.25") (int (mod (now | unixEpoch) 3)) }}'),
        {},
        Reason.UNSUPPORTED_SOURCE,
        "the chart in app puts nginx:1.25 together",
    ),
    "an image that the cluster knows": (
        chart('image: {{ (lookup "v1" "ConfigMap" "a" "b").data | default "nginx:1.25" }}'),
        {},
        Reason.UNSUPPORTED_SOURCE,
        "the chart in app puts nginx:1.25 together",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_what_cannot_be_edited_is_told(
    case: tuple[dict[str, bytes], dict[str, Any], Reason, str], helm_renderer: LocalRenderer
) -> None:
    """One line, in Helm's or the chart's own words where these say what is wrong."""
    files, options, reason, message = case
    told = outcome(helm_renderer, files, **options)
    assert (told[0], told[1][: len(message)]) == (reason, message)


@pytest.mark.parametrize(
    "template",
    [
        "image: nginx:1.25\n# {{ range until 2000000000 }}x{{ end }}",
        '{{ define "l" }}{{ include "l" . }}{{ end }}{{ include "l" . }}\n',
        '{{ range untilStep 0 10000000 1 }}{{ repeat 1000 "x" }}{{ end }}\n',
    ],
)
def test_templates_that_never_end_are_ended(template: str, helm: Path, tmp_path: Path) -> None:
    """Within the limits, and with a reason."""
    limits = Limits(cpu_seconds=2, memory_megabytes=256, output_megabytes=4)
    renderer = LocalRenderer(helm=helm, scratch=tmp_path, limits=limits)
    assert outcome(renderer, chart(template))[0] == Reason.RENDER_FAILED


def test_only_copies_that_keep_tag_and_digest_are_written(helm_renderer: LocalRenderer) -> None:
    """A value holds the name alone; another tag would have to be written elsewhere."""
    due = replacement(new="bak.example/m/library_nginx:other")
    result = edit(helm_renderer, application(), chart(), [due], copies={Reference.parse(OLD): due.new})
    assert result.edits == {}
    assert [each.reason for each in result.refused] == [Reason.UNSUPPORTED_SOURCE]


def archived(files: dict[str, bytes]) -> bytes:
    """A chart's archive."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return raw.getvalue()
