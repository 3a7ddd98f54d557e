"""Pull requests on a real Gitea, whose main branch is protected: opened, kept up to date, merged, closed."""

from typing import Any

import pytest

from gitops_backup.sandbox.gitea import BOT, Gitea
from gitops_backup.sandbox.waiting import until
from tests.end_to_end.harness import Controller, wait
from tests.end_to_end.repositories import Repository
from tests.end_to_end.scene import PREFIX, Scene, Workload

_BRANCH = "gitops-backup/main"
_BACKUPS = {"redis:7.2": f"{PREFIX}/library_redis:7.2", "nginx:1.14.0": f"{PREFIX}/library_nginx:1.14.0"}
_SECONDS = 90.0


class Shop:
    """A repository at the forge with a folder for each Application, as people see it."""

    def __init__(self, scene: Scene, gitea: Gitea, **images: str) -> None:
        self.scene = scene
        self.gitea = gitea
        self.name = scene.namespace
        files = {
            f"{name}/app.yaml": scene.yaml("Deployment", name, [image]) for name, image in images.items()
        }
        url = gitea.create(self.name, {"README.md": b"# Shop\n", **files})
        scene.sandbox.git.adopt(self.name, gitea.path(self.name), url=url)
        self.repository = Repository(scene.sandbox.git, self.name)
        for name in images:
            self._deploy(name)

    def controller(self) -> Controller:
        """A controller that opens pull requests there; nobody tells it what kind of forge that is."""
        return self.scene.controller(
            "gitops",
            resync=1,
            git_username=BOT,
            git_password=self.gitea.password,
            git_prefix=self.gitea.root,
            repositories={self.gitea.root: {"write": "pull-request"}},
        )

    def add(self, name: str, image: str) -> None:
        """One more Application, on main."""
        files = {f"{name}/app.yaml": self.scene.yaml("Deployment", name, [image])}
        self.gitea.commit(self.name, files)
        self._deploy(name)

    def workload(self, name: str) -> Workload:
        """The Deployment of an Application."""
        return Workload("Deployment", self.scene.namespace, name)

    def pull_requests(self) -> list[Any]:
        """All of them, newest first."""
        return self.gitea.pull_requests(self.name)

    def wait_open(self, *images: str) -> Any:
        """Wait until the newest pull request is open, and is about exactly these images."""
        wanted = {image for image, backup in _BACKUPS.items() if image in images}

        def look() -> Any:
            newest = next(iter(self.pull_requests()), None)
            if newest is None or newest["state"] != "open":
                return None
            return newest if {i for i, b in _BACKUPS.items() if b in newest["body"]} == wanted else None

        return until(look, what=f"a pull request about {images}", timeout=_SECONDS)

    def wait_gone(self) -> None:
        """Wait until the branch is not there."""
        until(lambda: _BRANCH not in self.gitea.branches(self.name), what="no branch", timeout=_SECONDS)

    def _deploy(self, name: str) -> None:
        self.scene.application(f"{name}-{self.name}", self.repository, path=name)
        until(lambda: self.scene.api.find(self.workload(name).path), what="the Application to be synced")
        self.scene.wait_rolled_out(self.workload(name))


def test_a_pull_request_is_opened_kept_up_to_date_and_merged(scene: Scene, gitea: Gitea) -> None:
    """Nothing is pushed to main; what becomes due joins; a merge syncs all, and the branch goes."""
    shop = Shop(scene, gitea, one="redis:7.2")
    main = shop.repository.head
    with shop.controller() as controller:
        opened = shop.wait_open("redis:7.2")
        assert opened["title"] == "chore(images): use backups for 1 image in 1 application"
        assert opened["user"]["login"] == BOT
        assert shop.repository.head == main
        until(lambda: controller.images("Rewrite", "AwaitingMerge") == 1, what="the reason")
        scene.wait_event(shop.workload("one"), "Proposed")
        scene.wait_quiet(3)

        shop.add("two", "nginx:1.14.0")
        main = shop.repository.head
        changed = shop.wait_open("redis:7.2", "nginx:1.14.0")
        assert changed["number"] == opened["number"]
        assert shop.repository.host.log(shop.name, _BRANCH)[1] == main
        seen = scene.wait_quiet(3)
        (record,) = scene.status("docker.io/library/nginx:1.14.0")["rewrites"]
        assert (record["state"], record["pull_request"]) == ("Proposed", changed["html_url"])

        gitea.merge(shop.name, changed["number"], "squash")
        for name, image in (("one", "redis:7.2"), ("two", "nginx:1.14.0")):
            scene.wait_images(shop.workload(name), _BACKUPS[image], timeout=_SECONDS)
            scene.wait_rolled_out(shop.workload(name))
        shop.wait_gone()
        assert scene.wait_quiet(3) != seen
    (merged,) = shop.pull_requests()
    assert merged["merged"]
    assert shop.repository.file("README.md") == b"# Shop\n"
    for text in (controller.log_text, merged["body"], shop.repository.show()):
        assert gitea.password not in text


def test_a_revert_of_what_was_merged_is_respected(scene: Scene, gitea: Gitea) -> None:
    """The original comes back and stays; no other pull request follows."""
    shop = Shop(scene, gitea, one="redis:7.2")
    original = shop.repository.file("one/app.yaml")
    with shop.controller() as controller:
        gitea.merge(shop.name, shop.wait_open("redis:7.2")["number"], "rebase")
        scene.wait_images(shop.workload("one"), _BACKUPS["redis:7.2"], timeout=_SECONDS)
        scene.wait_rolled_out(shop.workload("one"))
        gitea.commit(shop.name, {"one/app.yaml": original})
        scene.wait_images(shop.workload("one"), "redis:7.2", timeout=_SECONDS)
        until(lambda: controller.images("Blocked", "RolledBack") == 1, what="the revert to be respected")
        shop.wait_gone()
        wait(4)
    assert len(shop.pull_requests()) == 1
    assert shop.repository.file("one/app.yaml") == original


def test_a_pull_request_that_a_person_closed_is_not_opened_again(scene: Scene, gitea: Gitea) -> None:
    """Nor by the next process, until it would be about something else; one without changes is closed."""
    shop = Shop(scene, gitea, one="redis:7.2")
    with shop.controller():
        gitea.close(shop.name, shop.wait_open("redis:7.2")["number"])
        scene.wait_event(shop.workload("one"), "PullRequestClosed")
    with shop.controller() as controller:
        until(lambda: controller.images("Rewrite", "PullRequestClosed") == 1, what="the reason")
        wait(4)
        assert [each["state"] for each in shop.pull_requests()] == ["closed"]
        shop.add("two", "nginx:1.14.0")
        second = shop.wait_open("redis:7.2", "nginx:1.14.0")
        assert len(shop.pull_requests()) == 2
        scene.annotate_namespace(scene.namespace, "ignore")
        shop.wait_gone()
        found = shop.pull_requests()
        assert [each["state"] for each in found] == ["closed", "closed"]
        assert "nothing is left to change" in found[0]["body"]
        scene.annotate_namespace(scene.namespace, None)
        assert shop.wait_open("redis:7.2", "nginx:1.14.0")["number"] > second["number"]


def test_somebody_elses_commit_on_the_branch_stays(scene: Scene, gitea: Gitea) -> None:
    """As long as it does what is due; and where it does not, there is a reason in place of a push."""
    shop = Shop(scene, gitea, one="redis:7.2")
    with shop.controller():
        opened = shop.wait_open("redis:7.2")
        theirs = gitea.commit(shop.name, {"README.md": b"# By hand\n"}, branch=_BRANCH)
        scene.wait_quiet(3)
        shop.add("two", "nginx:1.14.0")
        scene.wait_event(shop.workload("two"), "BranchInUse", timeout=_SECONDS)
        assert shop.repository.host.head(shop.name, _BRANCH) == theirs
        gitea.merge(shop.name, opened["number"])
        scene.wait_images(shop.workload("one"), _BACKUPS["redis:7.2"], timeout=_SECONDS)
        assert shop.wait_open("nginx:1.14.0")["number"] > opened["number"]


@pytest.mark.parametrize("touched", [False, True])
def test_a_branch_is_made_anew_when_the_base_changes_its_files(
    scene: Scene, gitea: Gitea, touched: bool
) -> None:
    """What else happens on the base is left for the merge."""
    shop = Shop(scene, gitea, one="redis:7.2")
    with shop.controller():
        opened = shop.wait_open("redis:7.2")
        before = shop.repository.host.head(shop.name, _BRANCH)
        file = "one/app.yaml" if touched else "README.md"
        gitea.commit(shop.name, {file: shop.repository.file(file) + b"\n# more\n"})
        if touched:
            until(lambda: shop.repository.host.head(shop.name, _BRANCH) != before, what="a new commit")
            assert shop.repository.host.log(shop.name, _BRANCH)[1] == shop.repository.head
        else:
            wait(4)
            assert shop.repository.host.head(shop.name, _BRANCH) == before
        gitea.merge(shop.name, opened["number"])
        scene.wait_images(shop.workload("one"), _BACKUPS["redis:7.2"], timeout=_SECONDS)
        shop.wait_gone()
    assert shop.repository.file(file).endswith(b"# more\n")
