"""Rendering with a real Helm: what comes out, what is refused, and that nothing outside is touched."""

from pathlib import Path

import pytest

from gitops_backup.process import run
from gitops_backup.rendering.helm import helm_arguments
from gitops_backup.rendering.limits import Limits
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.rendering import HelmOptions, Parameter, RenderFailed

CHART = b"apiVersion: v2\nname: web\nversion: 1.0.0\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n"
OPTIONS = HelmOptions(release="web", namespace="shop")


def chart(data: str, **more: str) -> dict[str, bytes]:
    """A chart in `app` that renders a ConfigMap with these lines."""
    files = {"Chart.yaml": CHART, "templates/c.yaml": f"{CONFIG}  {data}\n".encode()}
    return {f"app/{path}": content for path, content in files.items()} | {
        path: content.encode() for path, content in more.items()
    }


def failure(renderer: LocalRenderer, files: dict[str, bytes], options: HelmOptions = OPTIONS) -> str:
    """Why a chart is not rendered."""
    with pytest.raises(RenderFailed) as failed:
        renderer.helm(files, "app", options)
    return failed.value.message


def test_a_chart_is_rendered_as_helm_renders_it(
    helm_renderer: LocalRenderer, helm: Path, tmp_path: Path
) -> None:
    """What comes out is byte for byte what Helm itself prints, with the options that Argo CD gives."""
    files = chart("a: {{ .Release.Name }} {{ .Release.Namespace }} {{ .Values.a }}", **{"v.yaml": "a: b"})
    files["app/crds/x.yaml"] = CONFIG.encode()
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    options = HelmOptions(release="web", namespace="shop", value_files=("v.yaml",))
    argv = ["template", "web", "app", "--namespace", "shop", "--include-crds", "--values", "v.yaml"]
    bare = run([str(helm), *argv], timeout=60, cwd=tmp_path)
    assert helm_renderer.helm(files, "app", options) == bare.stdout
    assert b"a: web shop b" in bare.stdout
    assert bare.stdout.count(b"kind: ConfigMap") == 2


def test_the_root_can_be_a_chart(helm_renderer: LocalRenderer) -> None:
    """A chart at the top of a repository is rendered as one in a folder."""
    files = {path.removeprefix("app/"): content for path, content in chart("a: b").items()}
    assert helm_renderer.helm(files, "", OPTIONS) == helm_renderer.helm(chart("a: b"), "app", OPTIONS)


def test_values_override_each_other(helm_renderer: LocalRenderer) -> None:
    """Parameters override the Application's values, these the value files, of which the last one holds."""
    keys = "abcdef"
    files = chart("v: '" + " ".join(f"{{{{ .Values.{key} }}}}" for key in keys) + "'")
    files["app/values.yaml"] = b"{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1}"
    files['one, "two".yaml'] = b"{b: 2, c: 2, d: 2, e: 2}"
    files["app/three.yaml"] = b"{c: 3, d: 3, e: 3}"
    parameters = (Parameter("e", "x"), Parameter("e", "5"), Parameter("f", "g,h", text=True))
    options = HelmOptions(
        release="web",
        namespace="shop",
        value_files=('one, "two".yaml', "app/three.yaml"),
        values="{d: 4, e: 4}",
        parameters=parameters,
    )
    assert b"v: '1 2 3 4 5 g,h'" in helm_renderer.helm(files, "app", options)


def test_options_are_flags() -> None:
    """Each is one argument, which cannot be taken for another, and the release is no flag."""
    options = HelmOptions(
        release="-x",
        namespace="n",
        value_files=("a,b.yaml",),
        parameters=(Parameter("a", "{b,c}"), Parameter("d", "e,f\\,g", text=True)),
        skip_crds=True,
        skip_tests=True,
        skip_schema_validation=True,
        kube_version="1.30",
        api_versions=("a/v1",),
    )
    assert helm_arguments("/r", "app", options) == [
        "template",
        "--namespace=n",
        "--kube-version=1.30",
        "--set=a={b,c}",
        "--set-string=d=e\\,f\\,g",
        '--values="/r/a,b.yaml"',
        "--api-versions=a/v1",
        "--skip-schema-validation",
        "--skip-tests",
        "--",
        "-x",
        "/r/app",
    ]


def test_a_failure_is_told_in_helms_words(helm_renderer: LocalRenderer) -> None:
    """One line, the same each time, with the chart's own words and no path of this machine."""
    said = {failure(helm_renderer, chart('{{ fail "images must be ours" }}')) for _ in range(2)}
    assert said == {"helm says: execution error at (web/templates/c.yaml:5:5): images must be ours"}
    broken = failure(helm_renderer, chart("a: b", **{"v.yaml": "a: ["}), HelmOptions("r", "n", ("v.yaml",)))
    assert broken.startswith("helm says: failed to parse v.yaml: ")
    files = chart("a: b") | {"app/Chart.yaml": CHART + b"dependencies: [{name: redis, version: 1.x.x}]\n"}
    assert "missing in charts/ directory: redis" in failure(helm_renderer, files)


def test_what_a_template_can_ask_for_is_not_there(helm_renderer: LocalRenderer) -> None:
    """No environment, no names of the network, no cluster, no files but the chart's."""
    assert 'function "env" not defined' in failure(helm_renderer, chart('a: {{ env "HOME" }}'))
    data = 'a: "{{ getHostByName "localhost" }}|{{ lookup "v1" "Pod" "" "" }}|{{ .Files.Get "../x" }}"'
    files = chart(data, x="secret")
    assert b'a: "|map[]|"' in helm_renderer.helm(files, "app", OPTIONS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{{ range until 2000000000 }}x{{ end }}", "helm "),
        ('{{ range $i := untilStep 0 10000000 1 }}{{ repeat 100 "x" }}{{ end }}', "helm "),
        ('{{ define "l" }}{{ include "l" . }}{{ end }}{{ include "l" . }}', "helm says: "),
    ],
)
def test_hostile_templates_end_in_a_reason(helm: Path, tmp_path: Path, data: str, message: str) -> None:
    """What computes for ever, prints for ever or calls itself for ever is ended."""
    limits = Limits(cpu_seconds=2, memory_megabytes=256, output_megabytes=4)
    renderer = LocalRenderer(helm=helm, scratch=tmp_path, limits=limits)
    assert failure(renderer, chart(data)).startswith(message)
