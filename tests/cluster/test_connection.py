"""Requests to an API server, scripted for what goes wrong and real for what goes right."""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup.cluster.connection import Connection, connect
from gitops_backup.cluster.errors import Forbidden, Gone, Invalid, NotFound
from gitops_backup.cluster.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, REPLICA_SETS
from gitops_backup.errors import Conflict, Transient, UsageError
from gitops_backup.sandbox.sandbox import Sandbox
from tests.cluster.scripted import (
    End,
    Reply,
    ScriptedServer,
    Watch,
    connected,
    in_turn,
    kubeconfig,
    object_list,
    pod,
    refused,
)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def test_an_object_is_created_read_written_and_deleted(connection: Connection, namespace: str) -> None:
    """The verbs do on a real API server what they say."""
    path = CONFIG_MAPS.path(namespace, "one")
    created = connection.create(CONFIG_MAPS.path(namespace), config_map("one", a="1"))
    assert connection.get(path) == created
    connection.merge_patch(path, {"data": {"b": "2"}})
    connection.json_patch(path, [{"op": "replace", "path": "/data/a", "value": "3"}])
    seen = connection.get(path)
    assert seen["data"] == {"a": "3", "b": "2"}
    assert connection.replace(path, {**seen, "data": {}}).get("data") is None
    connection.delete(path, preconditions={"uid": seen["metadata"]["uid"]})
    with pytest.raises(NotFound):
        connection.get(path)


def test_writes_name_the_program_that_made_them(connection: Connection, namespace: str) -> None:
    """Whoever looks at an object's field managers finds gitops-backup."""
    created = connection.create(CONFIG_MAPS.path(namespace), config_map("one", a="1"))
    assert [entry["manager"] for entry in created["metadata"]["managedFields"]] == ["gitops-backup"]


def test_a_stale_write_is_a_conflict(connection: Connection, namespace: str) -> None:
    """Whatever the verb, the resource version that it was computed from decides."""
    path = CONFIG_MAPS.path(namespace, "one")
    stale = connection.create(CONFIG_MAPS.path(namespace), config_map("one", a="1"))
    connection.merge_patch(path, {"data": {"a": "2"}})
    version = {"resourceVersion": stale["metadata"]["resourceVersion"]}
    with pytest.raises(Conflict):
        connection.replace(path, stale)
    with pytest.raises(Conflict):
        connection.merge_patch(path, {"metadata": version, "data": {"a": "3"}})
    with pytest.raises(Conflict):
        connection.delete(path, preconditions=version)
    with pytest.raises(Conflict, match=f"cannot create configmaps in the namespace {namespace}"):
        connection.create(CONFIG_MAPS.path(namespace), config_map("one"))


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/a", "value": "other"},
        {"op": "replace", "path": "/metadata/managedFields/9", "value": {}},
        {"op": "add", "path": "/metadata/annotations/x", "value": "x"},
    ],
)
def test_a_json_patch_that_does_not_fit_is_invalid(
    connection: Connection, namespace: str, operation: dict[str, str]
) -> None:
    """A failed test, a missing path and a missing parent are answered alike."""
    connection.create(CONFIG_MAPS.path(namespace), config_map("one", a="1"))
    with pytest.raises(Invalid):
        connection.json_patch(CONFIG_MAPS.path(namespace, "one"), [operation])


def test_a_status_is_written_apart_from_the_rest(connection: Connection, namespace: str) -> None:
    """Of what is sent to the status, only the status is taken."""
    container = {"name": "web", "image": "nginx:1.25"}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template, "replicas": 1}
    created = connection.create(REPLICA_SETS.path(namespace), {"metadata": {"name": "web"}, "spec": spec})
    created["spec"]["replicas"] = 5
    created["status"] = {"replicas": 1, "observedGeneration": 1}
    written = connection.replace_status(REPLICA_SETS.path(namespace, "web"), created)
    assert (written["spec"]["replicas"], written["status"]["replicas"]) == (1, 1)


def test_a_list_comes_in_pages(connection: Connection, namespace: str) -> None:
    """Each page has at most so many objects, and together they are all."""
    names = [f"map-{number}" for number in range(5)]
    for name in names:
        connection.create(CONFIG_MAPS.path(namespace), config_map(name))
    pages = list(connection.list_pages(CONFIG_MAPS.path(namespace), limit=2))
    assert [[item["metadata"]["name"] for item in page["items"]] for page in pages] == [
        names[:2],
        names[2:4],
        names[4:],
    ]


def test_a_list_can_be_narrowed(connection: Connection, namespace: str) -> None:
    """By labels and by fields."""
    for name, labels in (("one", {"tier": "web"}), ("two", {})):
        body = {"metadata": {"name": name, "labels": labels}}
        connection.create(CONFIG_MAPS.path(namespace), body)
    path = CONFIG_MAPS.path(namespace)
    for narrowed in (
        connection.list_pages(path, label_selector="tier=web"),
        connection.list_pages(path, field_selector="metadata.name=one"),
    ):
        assert [item["metadata"]["name"] for page in narrowed for item in page["items"]] == ["one"]


def test_a_watch_begins_where_a_list_ended(connection: Connection, namespace: str) -> None:
    """The first line is what changed after the list."""
    path = CONFIG_MAPS.path(namespace)
    (page,) = connection.list_pages(path)
    connection.create(path, config_map("one"))
    query = {"watch": "1", "resourceVersion": page["metadata"]["resourceVersion"]}
    with connection.stream(path, query, timeout=30) as stream:
        event = json.loads(next(iter(stream)))
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "one")


def test_a_watch_over_tls_is_interrupted_from_another_thread(connection: Connection, namespace: str) -> None:
    """A reader that waits for the next line is woken at once."""
    path = CONFIG_MAPS.path(namespace)
    (page,) = connection.list_pages(path)
    query = {"watch": "1", "resourceVersion": page["metadata"]["resourceVersion"]}
    with connection.stream(path, query, timeout=60) as stream:
        timer = threading.Timer(0.2, stream.interrupt)
        timer.start()
        with pytest.raises(Transient):
            list(stream)
        timer.join()
        stream.interrupt()


def test_a_page_token_that_expired_ends_the_list(
    scripted: ScriptedServer, scripted_connection: Connection
) -> None:
    """What was seen until then is not passed off as the whole."""
    scripted.answer = in_turn(object_list(pod("a"), token="more"), refused(410, "too old"))
    pages = scripted_connection.list_pages(PODS.path())
    next(pages)
    with pytest.raises(Gone):
        next(pages)
    assert scripted.requests[1].query == {"limit": "500", "continue": "more"}


def test_a_busy_server_says_how_long_to_wait(
    scripted: ScriptedServer, scripted_connection: Connection
) -> None:
    """One request is made and its Retry-After is handed on; waiting is not done here."""
    scripted.answer = in_turn(refused(429, "too many requests", headers={"Retry-After": "7"}))
    with pytest.raises(Transient) as raised:
        scripted_connection.get(PODS.path())
    assert raised.value.retry_after == 7
    assert len(scripted.requests) == 1


def test_a_server_that_does_not_answer_is_given_up_on(
    scripted: ScriptedServer, scripted_connection: Connection
) -> None:
    """Requests and watches end with their time limit, and say so."""
    scripted.answer = in_turn(Watch(end=End.SILENT))
    with pytest.raises(Transient, match="accepts the connection and is silent"):
        scripted_connection.get(PODS.path(), timeout=0.2)
    with (
        scripted_connection.stream(PODS.path(), {"watch": "1"}, timeout=0.2) as stream,
        pytest.raises(Transient, match="accepts the connection and is silent"),
    ):
        list(stream)


def test_a_connection_that_breaks_is_transient(
    scripted: ScriptedServer, scripted_connection: Connection
) -> None:
    """In the middle of an answer, and of a watch, whose unfinished line is left out."""
    scripted.answer = in_turn(Watch(lines=[b'{"a": 1}\n{"b":'], end=End.RESET))
    with pytest.raises(Transient):
        scripted_connection.get(PODS.path())
    lines: list[bytes] = []
    with (
        scripted_connection.stream(PODS.path(), {"watch": "1"}, timeout=5) as stream,
        pytest.raises(Transient),
    ):
        lines.extend(stream)
    assert lines == [b'{"a": 1}']


def test_lines_are_put_together_from_any_pieces(
    scripted: ScriptedServer, scripted_connection: Connection
) -> None:
    """Where the server cuts its answer has nothing to do with where lines end."""
    scripted.answer = in_turn(Watch(lines=[b"on", b"e\ntwo\n\nth", b"ree\ncut off"]))
    with scripted_connection.stream(PODS.path(), {"watch": "1"}, timeout=5) as stream:
        assert list(stream) == [b"one", b"two", b"", b"three"]


@pytest.mark.parametrize("body", [b"<html>Please log in</html>", b"[]", b"", b"\xff"])
def test_an_answer_that_is_no_object_is_transient(
    scripted: ScriptedServer, scripted_connection: Connection, body: bytes
) -> None:
    """A proxy's page is quoted, not believed."""
    scripted.answer = in_turn(Reply(body))
    with pytest.raises(Transient, match="did not answer with a JSON object"):
        scripted_connection.get(PODS.path())


def test_a_redirect_is_not_followed(scripted: ScriptedServer, scripted_connection: Connection) -> None:
    """Credentials go to nobody but the API server."""
    scripted.answer = in_turn(Reply(b"", status=302, headers={"Location": scripted.url + "/login"}))
    with pytest.raises(Invalid):
        scripted_connection.get(PODS.path())
    assert [request.path for request in scripted.requests] == [PODS.path()]


def test_a_refused_watch_names_the_verb(scripted: ScriptedServer, scripted_connection: Connection) -> None:
    """Listing may be granted where watching is not."""
    scripted.answer = in_turn(refused(403, 'User "jane" cannot watch resource "pods"'))
    with (
        pytest.raises(Forbidden, match=r"forbids to watch pods in all namespaces .grant jane that verb"),
        scripted_connection.stream(PODS.path(), {"watch": "1"}, timeout=5),
    ):
        pass


def test_a_rotated_token_is_used(scripted: ScriptedServer, tmp_path: Path) -> None:
    """A credential plugin is asked again when what it gave has expired."""
    program = tmp_path / "plugin"
    status = '{\\"token\\":\\"$(cat count)\\",\\"expirationTimestamp\\":\\"2001-01-01T00:00:00Z\\"}'
    kind = '\\"apiVersion\\":\\"client.authentication.k8s.io/v1\\",\\"kind\\":\\"ExecCredential\\"'
    program.write_text(
        f"#!/bin/sh\ncd {tmp_path}\necho x >> count\ncount=$(wc -l < count)\n"
        f'echo "{{{kind},\\"status\\":{status}}}" | tr -d "\\n"\n'
    )
    program.chmod(0o755)
    execution = {"command": str(program), "apiVersion": "client.authentication.k8s.io/v1"}
    with closing(connected(tmp_path, scripted, exec=execution)) as connection:
        scripted.answer = in_turn(Reply({}))
        connection.get(PODS.path())
        connection.get(PODS.path())
    first, second = (request.headers["Authorization"] for request in scripted.requests)
    assert len(second) == len(first) + 1


def test_the_real_server_refuses_what_is_not_granted(sandbox: Sandbox, namespace: str) -> None:
    """A ServiceAccount without rights reads which one is missing."""
    path = sandbox.kubeconfig_for("controller", namespace)
    with closing(connect(kubeconfig=path, context=None)) as limited, pytest.raises(Forbidden) as raised:
        limited.get(DEPLOYMENTS.path())
    assert str(raised.value) == (
        "the API server forbids to list deployments.apps in all namespaces "
        f"(grant the ServiceAccount {namespace}/controller that verb by RBAC)"
    )


def changed_kubeconfig(sandbox: Sandbox, folder: Path, change: Callable[[Any, Any], object]) -> Path:
    document = yaml.safe_load(sandbox.kubeconfig.read_bytes())
    change(document["clusters"][0]["cluster"], document["users"][0]["user"])
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return path


def test_wrong_credentials_are_refused_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """Connecting says so, with the address."""
    path = changed_kubeconfig(sandbox, tmp_path, lambda cluster, user: user.update(token="wrong"))
    with pytest.raises(UsageError) as raised:
        connect(kubeconfig=path, context=None)
    assert str(raised.value) == (
        f"{sandbox.api.server}: the API server does not accept the credentials "
        "(renew the token or the certificate)"
    )


def test_a_server_with_another_authority_is_not_trusted(sandbox: Sandbox, tmp_path: Path) -> None:
    """The certificate is checked, and the reason is in the line."""
    path = changed_kubeconfig(
        sandbox, tmp_path, lambda cluster, user: cluster.pop("certificate-authority-data")
    )
    with pytest.raises(UsageError, match="certificate verify failed"):
        connect(kubeconfig=path, context=None)


def test_an_insecure_context_is_used_without_a_word(sandbox: Sandbox, tmp_path: Path) -> None:
    """Where the kubeconfig skips the check, no request warns about it."""

    def skip_the_check(cluster: Any, user: Any) -> None:
        del cluster["certificate-authority-data"]
        cluster["insecure-skip-tls-verify"] = True

    path = changed_kubeconfig(sandbox, tmp_path, skip_the_check)
    with closing(connect(kubeconfig=path, context=None)) as connection:
        assert connection.get(NAMESPACES.path(name="default"))["metadata"]["name"] == "default"


def test_a_token_file_is_read_again(scripted: ScriptedServer, tmp_path: Path) -> None:
    """Whoever replaces it need not restart anything; a line break at its end is no part of it."""
    token = tmp_path / "token"
    token.write_text("first\n")
    with closing(connected(tmp_path, scripted, tokenFile="token")) as connection:
        scripted.answer = in_turn(Reply({}))
        connection.get(PODS.path())
        token.write_text("second\n")
        connection.get(PODS.path())
        token.unlink()
        with pytest.raises(Transient, match="the credentials cannot be renewed"):
            connection.get(PODS.path())
    assert [request.headers["Authorization"] for request in scripted.requests] == [
        "Bearer first",
        "Bearer second",
    ]


def test_an_unusable_proxy_is_one_line_without_its_password(tmp_path: Path) -> None:
    """Its address may hold credentials, and is not repeated."""
    path = kubeconfig(tmp_path, "http://127.0.0.1:1")
    document = json.loads(path.read_text())
    document["clusters"][0]["cluster"]["proxy-url"] = "gopher://me:hunter2@proxy.example"
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError, match=r"^http://127.0.0.1:1: the proxy for it is unusable") as raised:
        connect(kubeconfig=path, context=None)
    assert "hunter2" not in str(raised.value)


def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    """One line with the address and the reason."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(UsageError) as raised:
        connect(kubeconfig=kubeconfig(tmp_path, url), context=None)
    assert str(raised.value) == f"{url}: the API server does not answer: Connection refused"


@pytest.mark.parametrize("url", ["http://nowhere.invalid", "http://a b", "http://[::1]:99999"])
def test_an_address_that_leads_nowhere_is_one_line(tmp_path: Path, url: str) -> None:
    """A name that does not resolve, characters and ports that do not exist."""
    with pytest.raises(UsageError) as raised:
        connect(kubeconfig=kubeconfig(tmp_path, url), context=None)
    assert str(raised.value).startswith(f"{url}: the API server does not answer: ")
    assert "\n" not in str(raised.value)


def test_a_hidden_version_does_not_keep_anybody_out(scripted: ScriptedServer, tmp_path: Path) -> None:
    """Some clusters forbid to ask for their version; they answered, and that is enough."""
    scripted.answer = in_turn(refused(403, "not for you"))
    connect(kubeconfig=kubeconfig(tmp_path, scripted.url), context=None).close()


def test_something_that_is_no_api_server_is_not_connected_to(
    scripted: ScriptedServer, tmp_path: Path
) -> None:
    """A web page at the address is quoted."""
    scripted.answer = in_turn(Reply(b"<html>It works!</html>"))
    with pytest.raises(
        UsageError, match="did not answer with a JSON object but with: <html>It works!</html>"
    ):
        connect(kubeconfig=kubeconfig(tmp_path, scripted.url), context=None)
