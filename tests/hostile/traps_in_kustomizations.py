"""Kustomizations with traps for whoever builds them."""

import json
from collections.abc import Iterator
from typing import Any

from tests.hostile.traps import WEB, Outside, Trap
from tests.hostile.traps_in_git import LINK

K = "app/kustomization.yaml"


def traps_in_kustomizations(outside: Outside) -> Iterator[Trap]:
    """References to elsewhere, and programs to run."""
    for name, reference in _elsewhere(outside):
        yield _says(f"a base that is {name}", {"resources": ["web.yaml", reference]})
        yield _says(f"a component that is {name}", {"components": [reference]})
    above = f"../../../../..{outside.file}"
    for field in _readers(above):
        yield _says(f"{next(iter(field))} above the repository", field)
    for field in [*_readers(str(outside.file))][::2]:
        yield _says(f"{next(iter(field))} by an absolute path", field)
    for field in [*_readers(f"{outside.url}/file.yaml")][1::2]:
        yield _says(f"{next(iter(field))} on a server", field)
    run = f"touch {outside.sentinel}"
    function: dict[str, Any] = {"kind": "Run", "apiVersion": "v1", "metadata": {"name": "r"}}
    ways: tuple[dict[str, Any], ...] = (
        {"exec": {"path": "./run.sh"}},
        {"container": {"image": "busybox", "network": True}},
        {"starlark": {"url": f"{outside.url}/run.star"}},
    )
    for how in ways:
        annotated = json.loads(json.dumps(function))
        annotated["metadata"]["annotations"] = {"config.kubernetes.io/function": json.dumps(how)}
        for where in ("generators", "transformers", "validators"):
            yield _says(
                f"a function in {where}: {next(iter(how))}",
                {where: ["run.yaml"]},
                {"app/run.yaml": json.dumps(annotated), "app/run.sh": f"#!/bin/sh\n{run}\n"},
                says="app/run.yaml, line 1",
            )
            yield _says(f"an inline function in {where}: {next(iter(how))}", {where: [json.dumps(annotated)]})
    yield _says(
        "a plugin",
        {"generators": ["run.yaml"]},
        {"app/run.yaml": json.dumps(function)},
        says="app/run.yaml, line 1",
    )
    chart = {"name": "c", "repo": outside.url, "version": "1.0.0", "releaseName": "c"}
    yield _says("a chart from elsewhere", {"helmCharts": [chart]})
    yield _says(
        "charts in place",
        {"helmGlobals": {"chartHome": str(outside.file.parent)}, "helmCharts": [{"name": "c"}]},
    )
    yield _says(
        "a chart by its old name",
        {"helmChartInflationGenerator": [{"chartName": "c", "chartRepoUrl": outside.url}]},
    )
    base = {"app/web.yaml": WEB, K: "resources: [web.yaml, linked.yaml]\n"}
    yield Trap(
        "a resource that is a link",
        base | {"app/linked.yaml": str(outside.file)},
        "UnsupportedSource",
        "app/linked.yaml, a symbolic link",
        modes={"app/linked.yaml": LINK},
    )
    yield Trap(
        "a kustomization that is a link",
        {"app/web.yaml": WEB, K: str(outside.file)},
        "UnsupportedSource",
        modes={K: LINK},
    )
    yield Trap(
        "two kustomizations",
        {"app/web.yaml": WEB, K: "resources: [web.yaml]\n", "app/Kustomization": "resources: [web.yaml]\n"},
        "UnsupportedSource",
    )
    yield Trap("a base in a circle", {"app/web.yaml": WEB, K: "resources: [../app]\n"}, "RenderFailed")
    yield Trap(
        "bases in a circle",
        {K: "resources: [../b]\n", "b/kustomization.yaml": "resources: [../app]\n"},
        "RenderFailed",
    )


def _says(
    name: str, fields: dict[str, Any], more: dict[str, str] | None = None, *, says: str = f"{K}, line 1"
) -> Trap:
    kustomization = json.dumps({"resources": ["web.yaml"]} | fields)
    return Trap(name, {"app/web.yaml": WEB, K: kustomization} | (more or {}), "UnsupportedSource", says)


def _elsewhere(outside: Outside) -> Iterator[tuple[str, str]]:
    yield "on a server", f"{outside.url}/base.git?ref=main"
    yield "a file on a server", f"{outside.url}/base.yaml"
    yield "git's own URL", f"git::{outside.url}/base.git//x"
    yield "reached by SSH", f"ssh://git@127.0.0.1:{outside.port}/base.git"
    yield "reached by SSH in short", "git@127.0.0.1:base.git"
    yield "on a forge", "github.com/acme/base?ref=main"
    yield "a program", f"ext::sh -c 'touch {outside.sentinel}'"
    yield "a repository on this machine", f"file://{outside.file.parent}"
    yield "a folder of this machine", str(outside.file.parent)
    yield "above the repository", f"../../../../..{outside.file.parent}"


def _readers(path: str) -> Iterator[dict[str, Any]]:
    yield {"resources": ["web.yaml", path]}
    yield {"configMapGenerator": [{"name": "c", "files": [path]}]}
    yield {"configMapGenerator": [{"name": "c", "files": [f"key={path}"]}]}
    yield {"configMapGenerator": [{"name": "c", "envs": [path]}]}
    yield {"secretGenerator": [{"name": "c", "env": path}]}
    yield {"patches": [{"path": path}]}
    yield {"patchesStrategicMerge": [path]}
    yield {
        "patchesJson6902": [{"target": {"kind": "Deployment", "name": "web", "version": "v1"}, "path": path}]
    }
    yield {"replacements": [{"path": path}]}
    yield {"configurations": [path]}
    yield {"crds": [path]}
    yield {"openapi": {"path": path}}
    yield {"transformers": [path]}
    yield {"generators": [path]}
