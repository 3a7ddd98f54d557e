"""The sandbox's control plane: RBAC, tokens, the client."""

import threading
from collections.abc import Iterator

import pytest
import yaml

from gitops_backup.sandbox.api import Api, ApiAway, ApiError, Json
from gitops_backup.sandbox.sandbox import Sandbox


def _config_map(name: str, namespace: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}


def _client(sandbox: Sandbox, kubeconfig: str) -> Api:
    config = yaml.safe_load(kubeconfig)
    authority = sandbox.folder / "control-plane" / "certificates" / "apiserver.crt"
    return Api(server=sandbox.api.server, authority=authority, token=config["users"][0]["user"]["token"])


def _exhaust(events: Iterator[Json], ended: threading.Event) -> None:
    for _ in events:
        pass
    ended.set()


def test_a_service_account_has_the_rights_that_it_was_given_and_no_others(
    sandbox: Sandbox, namespace: str
) -> None:
    """RBAC is on, and the kubeconfig of a ServiceAccount speaks as that one."""
    kubeconfig = sandbox.kubeconfig_for("reader", namespace).read_text()
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    metadata = {"name": "reader", "namespace": namespace}
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}
    version = "rbac.authorization.k8s.io/v1"
    sandbox.apply(
        {"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": version,
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {**role, "kind": "Role", "name": "reader"},
            "subjects": [subject],
        },
    )
    reader = _client(sandbox, kubeconfig)
    assert reader.items(f"/api/v1/namespaces/{namespace}/configmaps") == []
    with pytest.raises(ApiError, match=f"system:serviceaccount:{namespace}:reader") as refused:
        reader.create(_config_map("mine", namespace))
    assert refused.value.status == 403
    reader.close()


def test_collections_come_whole_although_they_are_fetched_in_pages(sandbox: Sandbox, namespace: str) -> None:
    """More objects than a page holds are all listed."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for number in range(7):
        sandbox.api.create(_config_map(f"c{number}", namespace))
    first = sandbox.api.request("GET", path, query={"limit": "3"})
    assert len(first["items"]) == 3
    assert len(sandbox.api.items(path)) == 7
    sandbox.api.delete(path)
    assert sandbox.api.items(path) == []


def test_the_api_server_lays_out_tables(sandbox: Sandbox, namespace: str) -> None:
    """With the columns that kubectl shows."""
    sandbox.api.create(_config_map("laid-out", namespace))
    table = sandbox.api.table(f"/api/v1/namespaces/{namespace}/configmaps")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert [row["cells"][0] for row in table["rows"]] == ["laid-out"]


def test_a_watch_tells_what_happens_until_it_is_ended(sandbox: Sandbox, namespace: str) -> None:
    """Ending a watch from another thread lets its iteration end at once, although nothing happens."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    since = sandbox.api.get(path)["metadata"]["resourceVersion"]
    watch = sandbox.api.watch(path, since=since)
    sandbox.api.create(_config_map("new", namespace))
    events = iter(watch)
    first = next(events)
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "new")
    ended = threading.Event()
    reader = threading.Thread(target=_exhaust, args=(events, ended), daemon=True)
    reader.start()
    assert not ended.wait(0.2)
    watch.end()
    assert ended.wait(10)
    reader.join()


def test_a_kind_that_nobody_knows_is_named(sandbox: Sandbox) -> None:
    """The error says which kind."""
    with pytest.raises(ApiError, match="knows no Unicorn in v1"):
        sandbox.apply({"apiVersion": "v1", "kind": "Unicorn", "metadata": {"name": "x"}})


def test_the_project_s_and_argo_cd_s_kinds_are_served(sandbox: Sandbox) -> None:
    """Applications have no status subresource, as in Argo CD; ImageBackups have one."""
    argo = {each["name"] for each in sandbox.api.get("/apis/argoproj.io/v1alpha1")["resources"]}
    assert argo == {"applications", "appprojects"}
    own = {each["name"] for each in sandbox.api.get("/apis/k8slab.io/v1alpha1")["resources"]}
    assert {"imagebackups", "imagebackups/status"} <= own


def test_an_api_server_that_was_interrupted_comes_back_with_what_it_had(namespace: str) -> None:
    """While it is away the client says so; then the same address, certificate and objects are there."""
    with Sandbox.start(stand_ins=False) as own:
        own.namespace(namespace)
        own.control_plane.interrupt()
        with pytest.raises(ApiAway, match="no answer from the API server"):
            own.api.get("/version")
        own.control_plane.resume()
        assert own.api.find(f"/api/v1/namespaces/{namespace}") is not None
