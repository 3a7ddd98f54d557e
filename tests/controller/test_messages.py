"""Commit messages: title, a line for each image, trailers; the same for the same changes."""

from gitops_backup.controller.along import Along
from gitops_backup.controller.messages import ImageChange, commit_message
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Naming
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.sources.replacements import ObjectId

_NAMING = Naming.below("bak.example/m")
_DIGEST = "sha256:" + "a" * 64


def change(image: str, workload: str, application: str = "argocd/shop") -> ImageChange:
    """A change of the container `app` of a Deployment in the namespace shop."""
    source = Reference.parse(image)
    return ImageChange(
        application=application,
        workload=WorkloadKey("Deployment", "shop", workload),
        container="app",
        source=source,
        backup=_NAMING.backup(source),
        digest=_DIGEST,
    )


def test_the_message_names_each_image_its_backup_digest_and_workloads() -> None:
    """Word for word, as people and programs read it."""
    message = commit_message([change("nginx:1.25", "web"), change("quay.io/a/b:1", "api", "argocd/api")])
    assert message == (
        "chore(images): use backups for 2 images in 2 applications\n"
        "\n"
        "- docker.io/library/nginx:1.25 -> bak.example/m/library_nginx:1.25\n"
        f"  {_DIGEST}\n"
        "  Deployment/shop/web\n"
        "- quay.io/a/b:1 -> bak.example/m/quay.io_a_b:1\n"
        f"  {_DIGEST}\n"
        "  Deployment/shop/api\n"
        "\n"
        "Image-Backup: library-nginx-1-25-b07c1fa29c8dc936\n"
        "Image-Backup: quay-io-a-b-1-ee94c1aae4cc63ea\n"
    )


def test_one_image_in_many_workloads_is_one_line_that_stays_short() -> None:
    """A handful of workloads are named, the rest is counted."""
    message = commit_message([change("nginx:1.25", f"web-{number}") for number in range(9)])
    assert "1 image in 1 application\n" in message
    assert "Deployment/shop/web-4 and 4 more\n" in message


def test_the_order_of_the_changes_does_not_matter() -> None:
    """Taking a step twice makes the same commit."""
    changes = [change("nginx:1.25", "b"), change("quay.io/a/b:1", "a"), change("nginx:1.25", "a")]
    assert commit_message(changes) == commit_message(changes[::-1])


def test_what_changes_along_is_named_with_its_image() -> None:
    """In one line for each image, which stays short; the same object of two Applications is one."""

    def along(number: int, image: str, application: str) -> Along:
        owner = ObjectId("apps", "StatefulSet", "shop", f"db-{number}")
        return Along(application, owner, "container db", image, "bak")

    applications = "argocd/shop", "argocd/other"
    found = [along(number, "nginx:1.25", name) for number in range(7) for name in applications]
    changes = [change("nginx:1.25", "web"), change("quay.io/a/b:1", "web")]
    message = commit_message(changes, [*found, along(0, "quay.io/a/b:1", "argocd/shop")])
    assert message.count("  also: ") == 2
    assert "  Deployment/shop/web\n  also: StatefulSet shop/db-0, container db; StatefulSet" in message
    assert "StatefulSet shop/db-4, container db and 2 more\n" in message
    assert "  also: StatefulSet shop/db-0, container db\n\nImage-Backup: " in message
