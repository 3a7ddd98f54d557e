"""Charts with traps for whoever renders them."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from itertools import pairwise

from tests.hostile.traps import IMAGE, WEB, Outside, Trap
from tests.hostile.traps_in_git import LINK, SUBMODULE

CHART = {
    "app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n",
    "app/values.yaml": "image: nginx\n",
    "app/templates/web.yaml": WEB.replace(IMAGE, '"{{ .Values.image }}:1.25"'),
}
_V = "app/values.yaml"
_DEPENDENCY = "dependencies: [{{name: sub, version: 1.0.0, repository: '{}'}}]\n"


def traps_in_charts(outside: Outside) -> Iterator[Trap]:
    """Templates, values, schemas, dependencies, archives."""
    yield from _templates(outside)
    yield from _values(outside)
    yield from _schemas(outside)
    yield from _dependencies(outside)
    yield from _archives(outside)


def _template(name: str, text: str, reason: str | None, says: str = "") -> Trap:
    config = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  a: {text}\n"
    return Trap(name, {**CHART, "app/templates/c.yaml": config}, reason, says, edited=_V)


def _templates(outside: Outside) -> Iterator[Trap]:
    yield _template("a loop", "'{{ range until 2000000000 }}{{ end }}'", "RenderFailed")
    yield _template(
        "a loop in a loop",
        "'{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}'",
        "RenderFailed",
        "computed for more",
    )
    yield _template(
        "a template that includes itself",
        '\'{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}\'',
        "RenderFailed",
    )
    yield _template("a text without end", "'{{ repeat 2000000000 \"x\" }}'", "RenderFailed")
    yield _template(
        "output without end", "'{{ range until 100000 }}{{ repeat 10000 \"x\" }}{{ end }}'", "RenderFailed"
    )
    yield _template("the environment", "'{{ env \"HOME\" }}'", "RenderFailed", 'function "env" not defined')
    yield _template("the environment in a text", "'{{ expandenv \"$HOME\" }}'", "RenderFailed", "expandenv")
    yield _template("a name to look up", "'{{ getHostByName \"canary.example.com\" }}'", None)
    yield _template("the cluster", '\'{{ lookup "v1" "Secret" "kube-system" "" }}\'', None)
    yield _template("an absolute file", f'{{{{ .Files.Get "{outside.file}" | quote }}}}', None)
    yield _template("a file above", f'{{{{ .Files.Get "../../../../..{outside.file}" | quote }}}}', None)
    yield _template("files above", "'{{ (.Files.Glob \"../../**\").AsConfig | b64enc }}'", None)
    bomb = "".join(f"  {new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in pairwise("abcdefghi"))
    yield _template("aliases that stand for millions", f"&a 1\n{bomb}", "RenderFailed", "aliasing")
    odd = 'x\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: "a\\nb\\e[31m"}\n'
    odd += 'data: {a: {{ randAlpha 5 }}, b: "{{ .Values.image }}x"}'
    yield _template("an object whose name ends lines", odd, "SharedScalar", "app/values.yaml, line 1")


def _values(outside: Outside) -> Iterator[Trap]:
    for name, path, says in (
        ("on a server", f"{outside.url}/values.yaml", "is not looked at"),
        ("made by a plugin", "secrets+age-import:///key?values.yaml", "is not in Git"),
        ("by an absolute path", str(outside.file), "is not in the repository"),
        ("above the repository", f"../../../../..{outside.file}", "leads out"),
        ("of the environment", "$HOME/values.yaml", "that the Application does not have"),
        ("of the environment in the middle", "x/${HOME}/values.yaml", "variable"),
        ("by a pattern that leads out", "../../**/*.yaml", "leads out"),
    ):
        gone = "not in the repository" in says or "does not have" in says
        reason = "NotFoundInSource" if gone else "UnsupportedSource"
        yield Trap(f"values {name}", CHART, reason, says, source={"helm": {"valueFiles": [path]}})
    yield Trap(
        "values where others are shown that are from elsewhere",
        {**CHART, ".from-elsewhere/x.yaml": "image: redis\n"},
        "NotFoundInSource",
        source={"helm": {"valueFiles": ["/.from-elsewhere/x.yaml"]}},
    )
    yield Trap(
        "values that are a link",
        {**CHART, "x.yaml": str(outside.file)},
        "UnsupportedSource",
        "x.yaml is a symbolic link",
        modes={"x.yaml": LINK},
        source={"helm": {"valueFiles": ["/x.yaml"]}},
    )
    yield Trap(
        "own values that are a link",
        {**CHART, _V: str(outside.file)},
        "UnsupportedSource",
        f"{_V} is a symbolic link",
        modes={_V: LINK},
    )
    yield Trap(
        "a template that is a link",
        {**CHART, "app/templates/web.yaml": str(outside.file)},
        "UnsupportedSource",
        "web.yaml is a symbolic link",
        modes={"app/templates/web.yaml": LINK},
    )
    yield Trap(
        "a file that is a link",
        {**CHART, "app/files/x": str(outside.file)},
        "UnsupportedSource",
        "is a symbolic link",
        modes={"app/files/x": LINK},
    )
    yield Trap(
        "a submodule",
        {**CHART, "app/charts/x": ""},
        "UnsupportedSource",
        "is a submodule",
        modes={"app/charts/x": SUBMODULE},
    )
    yield Trap(
        "files as parameters",
        CHART,
        "NotFoundInSource",
        "is not in the repository",
        source={"helm": {"fileParameters": [{"name": "image", "path": str(outside.file)}]}},
    )
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{n}: &{n} [{','.join([f'*{o}'] * 9)}]\n" for o, n in pairwise("abcdefghi")
    )
    yield Trap("values with aliases that stand for millions", {**CHART, _V: CHART[_V] + bomb}, "RenderFailed")
    yield Trap(
        "values that are huge",
        {**CHART, "x.yaml": "#" * (11 << 20)},
        "UnsupportedSource",
        "x.yaml",
        source={"helm": {"valueFiles": ["/x.yaml"]}},
    )
    yield Trap(
        "files that are huge together",
        {**CHART, **{f"app/files/{n}": "#" * (9 << 20) for n in range(8)}},
        "RenderFailed",
        "bytes",
    )
    yield Trap(
        "a name that is too long",
        {**CHART, "app/files/" + "x" * 300: "x"},
        "RenderFailed",
        "cannot be written",
    )
    yield Trap(
        "names that end lines", {**CHART, "app/templates/a\nb\x1b[31m.yaml": '{{ fail "x" }}'}, "RenderFailed"
    )


def _schemas(outside: Outside) -> Iterator[Trap]:
    for name, reference in (
        ("on a server", f"{outside.url}/schema.json"),
        ("on this machine", f"file://{outside.file}"),
    ):
        schema = json.dumps(
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "properties": {"image": {"$ref": reference}},
            }
        )
        yield Trap(
            f"a schema {name}",
            {**CHART, "app/values.schema.json": schema},
            "UnsupportedSource",
            "app/values.schema.json, line 1",
        )
        yield Trap(
            f"a subchart's schema {name}",
            {
                **CHART,
                "app/charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
                "app/charts/sub/values.schema.json": schema,
            },
            "UnsupportedSource",
            "app/charts/sub/values.schema.json, line 1",
        )
        yield Trap(
            f"an archived schema {name}",
            {
                **CHART,
                "app/charts/sub-1.0.0.tgz": archive(
                    {
                        "sub/Chart.yaml": b"apiVersion: v2\nname: sub\nversion: 1.0.0\n",
                        "sub/values.schema.json": schema.encode(),
                    }
                ),
            },
            "UnsupportedSource",
            "app/charts/sub-1.0.0.tgz",
        )


def _dependencies(outside: Outside) -> Iterator[Trap]:
    for name, repository, reason in (
        ("on a server", outside.url, "UnsupportedSource"),
        ("in a registry", f"oci://127.0.0.1:{outside.port}/charts", "UnsupportedSource"),
        ("on this machine", f"file://{outside.file.parent}", "RenderFailed"),
        ("above the repository", f"file://../../../../..{outside.file.parent}", "RenderFailed"),
    ):
        yield Trap(
            f"a dependency {name}",
            {**CHART, "app/Chart.yaml": CHART["app/Chart.yaml"] + _DEPENDENCY.format(repository)},
            reason,
            "sub",
        )


def _archives(outside: Outside) -> Iterator[Trap]:
    sub = {"sub/Chart.yaml": b"apiVersion: v2\nname: sub\nversion: 1.0.0\n"}
    place = "app/charts/sub-1.0.0.tgz"
    out = archive({**sub, f"sub/../../../../..{outside.sentinel}": b"x"})
    yield Trap("an archive with names that lead out", {**CHART, place: out}, "RenderFailed")
    absolute = archive({**sub, str(outside.sentinel): b"x"})
    yield Trap("an archive with absolute names", {**CHART, place: absolute}, None, edited=_V)
    for name, kind in (("symbolic", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE)):
        linked = archive(sub, links={"sub/templates/x.yaml": (kind, str(outside.file))})
        yield Trap(f"an archive with {name} links", {**CHART, place: linked}, None, edited=_V)
    yield Trap(
        "an archive that unpacks without end",
        {**CHART, place: gzip.compress(b"\0" * (1 << 28))},
        "UnsupportedSource",
        place,
    )
    yield Trap(
        "an archive that is none", {**CHART, place: b"\x1f\x8b" + b"x" * 100}, "UnsupportedSource", place
    )


def archive(files: Mapping[str, bytes], *, links: Mapping[str, tuple[bytes, str]] | None = None) -> bytes:
    """A packed chart."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, (kind, target) in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            tar.addfile(member)
    return packed.getvalue()
