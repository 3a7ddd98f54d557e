"""Mode report: everything is decided, and nothing is written."""

from gitops_backup.sandbox.waiting import until
from tests.end_to_end.harness import wait
from tests.end_to_end.scene import Scene


def test_mode_report_writes_nothing_at_all(scene: Scene) -> None:
    """No object, no Lease, no event, no request to a registry; the metrics tell what would be done."""
    app = scene.deployment("app", "nginx:1.14.0", "redis:7.2")
    scene.wait_rolled_out(app)
    before = scene.versions()
    scene.sandbox.upstream.forget_requests()
    with scene.controller("report", resync=1) as controller:
        until(lambda: controller.images("Copy") == 2, what="the plan to be in the metrics")
        wait(2)
    assert scene.versions() == before
    assert not scene.api.items("/apis/coordination.k8s.io/v1/namespaces/image-backup/leases")
    assert not scene.sandbox.backup.requests()
    assert not scene.sandbox.upstream.requests()
