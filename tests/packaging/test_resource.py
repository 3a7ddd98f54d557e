"""The CustomResourceDefinition as a real API server understands it."""

import base64
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import urllib3
import yaml

from gitops_backup.domain.backups import (
    Condition,
    DigestRecord,
    ImageBackup,
    Phase,
    Rewrite,
    RewriteState,
    Status,
    Users,
)
from gitops_backup.sandbox.api import ApiError
from gitops_backup.sandbox.sandbox import Sandbox

Json = dict[str, Any]

AS_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
DIGEST = "sha256:" + "0" * 64
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
FULL = Status(
    phase=Phase.DONE,
    backup="docker.io/acme/library_nginx:1.25",
    digest=DIGEST,
    manifests=(DIGEST,),
    platforms=("linux/amd64", "linux/arm64"),
    size=1 << 40,
    digests=(
        DigestRecord(digest=DIGEST, tag="1.25", verified=True, since=NOW, workloads=("Deployment/a/b",)),
    ),
    create_at=NOW,
    completed_at=NOW,
    duration="4.2s",
    attempts=3,
    next_attempt=NOW,
    conditions=(
        Condition(
            type="Copied",
            status="True",
            reason="Verified",
            message="it is there",
            observedGeneration=1,
            lastTransitionTime=NOW,
        ),
    ),
    users=Users(count=1, first=("Deployment/a/b",)),
    rewrites=(
        Rewrite(
            workload="Deployment/a/b",
            container="c",
            state=RewriteState.HEALTHY,
            at=NOW,
            commit="0" * 40,
            parent="1" * 40,
            was_healthy=True,
            reversals=(NOW,),
        ),
    ),
    unused_since=NOW,
)
"""A status with something in every field."""


class Backups:
    """ImageBackups in a namespace of their own, as any client sees them."""

    def __init__(self, sandbox: Sandbox, namespace: str) -> None:
        self.sandbox = sandbox
        self.namespace = namespace
        self.collection = f"/apis/k8slab.io/v1alpha1/namespaces/{namespace}/imagebackups"

    def create(self, spec: Json | None, **more: object) -> Json:
        """Create one and return it."""
        body = {
            "apiVersion": "k8slab.io/v1alpha1",
            "kind": "ImageBackup",
            "metadata": {"name": f"ib-{secrets.token_hex(4)}", "namespace": self.namespace},
            **({} if spec is None else {"spec": spec}),
            **more,
        }
        return self.sandbox.api.create(body)

    def put(self, obj: Json, *, subresource: str = "") -> Json:
        """Replace one, or a subresource of it."""
        return self.sandbox.api.request("PUT", self.path(obj) + subresource, obj)

    def path(self, obj: Json) -> str:
        """Where one is."""
        return f"{self.collection}/{obj['metadata']['name']}"

    def table(self, obj: Json) -> dict[str, tuple[Any, int]]:
        """What `kubectl get` shows of one: by column, the cell and the priority (0 is always shown)."""
        config = yaml.safe_load(self.sandbox.kubeconfig.read_bytes())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        headers = {"Authorization": f"Bearer {user['token']}", "Accept": AS_TABLE}
        with urllib3.PoolManager(ca_cert_data=authority, headers=headers, retries=False) as pool:
            answer = json.loads(pool.request("GET", cluster["server"] + self.path(obj)).data)
        (row,) = answer["rows"]
        return {
            column["name"]: (cell, column["priority"])
            for column, cell in zip(answer["columnDefinitions"], row["cells"], strict=True)
        }


@pytest.fixture
def backups(sandbox: Sandbox, namespace: str) -> Iterator[Backups]:
    """ImageBackups in a namespace of their own."""
    yield Backups(sandbox, namespace)
    sandbox.api.delete(f"/apis/k8slab.io/v1alpha1/namespaces/{namespace}/imagebackups")


def test_the_schema_is_structural_and_served(sandbox: Sandbox) -> None:
    """The API server has nothing to complain about."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/imagebackups.k8slab.io"
    conditions = {each["type"]: each["status"] for each in sandbox.api.get(path)["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}


def test_the_short_name_is_ib(sandbox: Sandbox) -> None:
    """`kubectl get ib` works, and `kubectl get all` leaves them out."""
    found = sandbox.api.get("/apis/k8slab.io/v1alpha1")["resources"]
    (resource,) = [each for each in found if each["name"] == "imagebackups"]
    assert resource["shortNames"] == ["ib"]
    assert resource["namespaced"]
    assert "categories" not in resource


def test_the_image_never_changes(backups: Backups) -> None:
    """Another image is refused, with a reason that a person understands; the platforms may change."""
    created = backups.create({"image": "docker.io/library/nginx:1.25"})
    created["spec"]["platforms"] = ["linux/amd64"]
    changed = backups.put(created)
    changed["spec"]["image"] = "docker.io/library/nginx:1.26"
    with pytest.raises(ApiError, match=r"spec.image: Invalid value: .*never changes") as refused:
        backups.put(changed)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    "spec",
    [None, {}, {"image": ""}, {"image": None}, {"image": "a" * 1025}, {"image": 7}],
    ids=["no spec", "no image", "an empty image", "null", "too long", "a number"],
)
def test_an_imagebackup_names_an_image(backups: Backups, spec: Json | None) -> None:
    """One without an image is refused."""
    with pytest.raises(ApiError) as refused:
        backups.create(spec)
    assert refused.value.status == 422


def test_what_the_columns_show(backups: Backups) -> None:
    """`kubectl get imagebackups` is the catalogue; the message is there with `-o wide`."""
    created = backups.create({"image": "docker.io/library/nginx:1.25"})
    created["status"] = FULL.as_json()
    written = backups.put(created, subresource="/status")
    table = backups.table(written)
    assert list(table) == ["Name", "Phase", "Image", "Backup", "Age", "Duration", "Message"]
    del table["Age"]
    assert table == {
        "Name": (created["metadata"]["name"], 0),
        "Phase": ("DONE", 0),
        "Image": ("docker.io/library/nginx:1.25", 0),
        "Backup": ("docker.io/acme/library_nginx:1.25", 0),
        "Duration": ("4.2s", 0),
        "Message": ("it is there", 1),
    }


def test_the_columns_of_a_new_one_are_empty(backups: Backups) -> None:
    """What is not known yet is not shown."""
    table = backups.table(backups.create({"image": "docker.io/library/nginx:1.25"}))
    assert {name: cell for name, (cell, _) in table.items() if name in {"Phase", "Backup", "Message"}} == {
        "Phase": None,
        "Backup": None,
        "Message": None,
    }


def test_the_status_has_a_way_of_its_own(backups: Backups) -> None:
    """Who writes the spec cannot write the status, nor the other way round."""
    created = backups.create({"image": "docker.io/library/nginx:1.25"}, status={"phase": "DONE"})
    assert "status" not in created
    created["spec"]["platforms"] = ["linux/amd64"]
    created["status"] = {"phase": "RUNNING"}
    written = backups.put(created, subresource="/status")
    assert written["status"] == {"phase": "RUNNING"}
    assert written["spec"] == {"image": "docker.io/library/nginx:1.25"}


def test_every_field_of_the_status_is_kept(backups: Backups) -> None:
    """The schema prunes nothing that the program writes, and what was written is read back equal."""
    unset = [name for name, value in FULL if not value]
    assert unset == []
    created = backups.create({"image": "docker.io/library/nginx:1.25"})
    created["status"] = FULL.as_json()
    written = backups.put(created, subresource="/status")
    assert written["status"] == FULL.as_json()
    read = ImageBackup.project(written)
    assert read is not None
    assert read.status == FULL


@pytest.mark.parametrize("status", [Status(), Status(phase=Phase.PENDING)], ids=["empty", "pending"])
def test_a_status_with_little_in_it_is_accepted(backups: Backups, status: Status) -> None:
    """What is not known yet is absent, and that is fine."""
    created = backups.create({"image": "docker.io/library/nginx:1.25"})
    created["status"] = status.as_json()
    backups.put(created, subresource="/status")


def test_a_phase_of_nobodys_is_refused(backups: Backups) -> None:
    """The phases are four words."""
    created = backups.create({"image": "docker.io/library/nginx:1.25"})
    created["status"] = {"phase": "Done"}
    with pytest.raises(ApiError, match="Unsupported value"):
        backups.put(created, subresource="/status")


def test_objects_of_the_earlier_system_are_read(backups: Backups) -> None:
    """Its image in short form, its phase and its times; what else it kept is dropped."""
    earlier_spec = {"image": "nginx:1.14.0", "resource-name": "nginx", "resource-type": "Deployment"}
    created = backups.create(earlier_spec)
    assert created["spec"] == {"image": "nginx:1.14.0"}
    created["status"] = {
        "phase": "DONE",
        "create_at": "2022-06-01T10:00:00Z",
        "duration": "4.203817311s",
        "retries": 2,
    }
    written = backups.put(created, subresource="/status")
    read = ImageBackup.project(written)
    assert read is not None
    assert str(read.image) == "docker.io/library/nginx:1.14.0"
    assert read.status.phase == Phase.DONE
    assert read.status.create_at == datetime(2022, 6, 1, 10, tzinfo=UTC)
    assert "retries" not in written["status"]
