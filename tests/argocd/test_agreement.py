"""What the report takes a source for is what a real Argo CD makes of it; and so is what the stand-in does."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import yaml

from gitops_backup.errors import GitopsBackupError
from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.directory import manifests, source_type
from gitops_backup.sandbox.renderers import Renderers
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from tests.argocd.cases import CASES, Case
from tests.cli.command import command

_REPOSITORY = "facts"
_SECONDS_TO_COMPARE = 600.0
_APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
_TRACKING = "argocd.argoproj.io/tracking-id"
Report = Mapping[str, Any]
Compared = Callable[[str], Json]


def _known_to_the_stand_in(case: Case) -> bool:
    return not case.others and not any(path.startswith(".argocd-source") for path in case.files)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """What is in the repository: a folder for each case."""
    return {
        f"{name}/{path}": content.encode()
        for name, case in CASES.items()
        for path, content in case.files.items()
    }


@pytest.fixture(scope="module")
def applications(sandbox: Sandbox, files: dict[str, bytes]) -> list[Json]:
    """An Application for each case, and a namespace for each to deploy to, applied all at once."""
    url = sandbox.git.create(_REPOSITORY, files)
    return sandbox.apply(
        *(
            _application(name, [{"path": name, **case.source}, *case.others], url)
            for name, case in CASES.items()
        )
    )


@pytest.fixture(scope="module")
def compared(sandbox: Sandbox, applications: list[Json]) -> Compared:
    """The Application of a case, once Argo CD has synced it or said why it cannot."""

    def look(name: str) -> Json | None:
        application = sandbox.api.get(f"{_APPLICATIONS}/{name}")
        status = application.get("status", {})
        synced = status.get("sync", {}).get("status") == "Synced"
        failed = any(each["type"].endswith("Error") for each in status.get("conditions", []))
        return application if synced or failed else None

    def wait(name: str) -> Json:
        found = until(lambda: look(name), what=f"{name} to be synced", timeout=_SECONDS_TO_COMPARE)
        assert found is not None
        return found

    return wait


@pytest.fixture(scope="module")
def report(sandbox: Sandbox, applications: list[Json], tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What the program says of the repository alone, with these Applications."""
    folder = tmp_path_factory.mktemp("report")
    path = folder / "applications.yaml"
    path.write_text(yaml.safe_dump_all(applications))
    answer = command(
        *("--config", sandbox.settings_file, "report", "--output", "json"),
        *("--from", sandbox.git.url(_REPOSITORY), "--applications", path),
    )
    assert answer.code == 0, answer.err
    found: Report = json.loads(answer.out)
    return found


@pytest.mark.parametrize("name", CASES)
def test_what_a_source_deploys_is_known(
    sandbox: Sandbox, compared: Compared, report: Report, name: str
) -> None:
    """The workloads and their images are those that Argo CD makes, or it is known that they are not known."""
    case, live = CASES[name], compared(name)
    resources = live["status"].get("resources", [])
    assert {each["name"] for each in resources} == case.names, live["status"].get("conditions")
    if case.kind:
        assert live["status"].get("sourceType") == case.kind
    problems = [each for each in report["problems"] if each.startswith(f"argocd/{name}: ")]
    assert bool(problems) == case.refused, problems
    known = {
        (each["namespace"], each["name"]): [container["image"] for container in each["containers"]]
        for each in report["workloads"]
        if each["application"] == f"argocd/{name}"
    }
    if not case.refused:
        assert known == {_key(each): _images(sandbox.api.get(_path(sandbox, each))) for each in resources}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if _known_to_the_stand_in(case)])
def test_the_stand_in_makes_the_same_of_a_source(
    sandbox: Sandbox, files: dict[str, bytes], compared: Compared, name: str
) -> None:
    """Or refuses it, where it does not know what Argo CD would make of it."""
    live = compared(name)
    source = live["spec"]["source"]
    kind = source_type(files, source)
    try:
        made = (
            manifests(files, source)
            if kind == "Directory"
            else Renderers(sandbox.renderers).render(kind, files, live)
        )
    except GitopsBackupError:
        return
    assert {each["metadata"]["name"] for each in made} == CASES[name].names
    if made:
        assert kind == live["status"]["sourceType"]


@pytest.mark.parametrize("name", ["glob-flat", "layers", "images-none"])
def test_every_object_says_which_application_it_belongs_to(
    sandbox: Sandbox, compared: Compared, name: str
) -> None:
    """In an annotation, with the object's own group, kind, namespace and name."""
    for each in compared(name)["status"]["resources"]:
        namespace, named = _key(each)
        tracking = sandbox.api.get(_path(sandbox, each))["metadata"]["annotations"][_TRACKING]
        assert tracking == f"{name}:apps/Deployment:{namespace}/{named}"


def _application(name: str, sources: Sequence[Json], url: str) -> Json:
    complete = [{"repoURL": url, **source} for source in sources]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": f"facts-{name}"},
            "syncPolicy": {"automated": {}, "syncOptions": ["CreateNamespace=true"]},
            **({"sources": complete} if len(complete) > 1 else {"source": complete[0]}),
        },
    }


def _key(resource: Json) -> tuple[str, str]:
    return resource["namespace"], resource["name"]


def _path(sandbox: Sandbox, resource: Json) -> str:
    version = "/".join(filter(None, (resource.get("group"), resource["version"])))
    return sandbox.api.path_of({"apiVersion": version, "kind": resource["kind"], "metadata": resource})


def _images(workload: Json) -> list[str]:
    return [each["image"] for each in workload["spec"]["template"]["spec"]["containers"]]
