"""Every spelling of a repository's URL means the same repository, and what may not be used is refused."""

import pytest

from gitops_backup.git.errors import InvalidRepositoryUrl
from gitops_backup.git.repository import RepositoryUrl


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("https://example.org/team/apps", "https://example.org/team/apps"),
        ("https://example.org/team/apps.git", "https://example.org/team/apps"),
        ("https://example.org/team/apps.git/", "https://example.org/team/apps"),
        ("https://example.org/team/apps//", "https://example.org/team/apps"),
        ("HTTPS://Example.ORG/Team/Apps", "https://example.org/Team/Apps"),
        ("https://example.org:443/team/apps", "https://example.org/team/apps"),
        ("https://example.org:8443/team/apps", "https://example.org:8443/team/apps"),
        ("http://example.org:80/team/apps", "http://example.org/team/apps"),
        ("http://127.0.0.1:3000/apps.git", "http://127.0.0.1:3000/apps"),
        ("http://[::1]:3000/apps.git", "http://[::1]:3000/apps"),
        ("https://acme@dev.example.org/acme/_git/apps", "https://dev.example.org/acme/_git/apps"),
        ("git@example.org:team/apps.git", "ssh://example.org/team/apps"),
        ("ssh://git@example.org/team/apps.git", "ssh://example.org/team/apps"),
        ("ssh://git@example.org:22/team/apps", "ssh://example.org/team/apps"),
        ("ssh://git@example.org:7999/team/apps", "ssh://example.org:7999/team/apps"),
        ("example.org:/srv/git/apps.git", "ssh://example.org/srv/git/apps"),
        ("file:///srv/git/apps.git", "file:///srv/git/apps"),
    ],
)
def test_spellings_of_one_url_have_one_key(text: str, key: str) -> None:
    """Case of the host, user, default port, `.git`, trailing slash and scp's form make no difference."""
    assert RepositoryUrl.parse(text).key == key


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://token@Example.org/team/apps.git", "https://example.org/team/apps.git"),
        ("ssh://git@example.org:22/team/apps.git", "ssh://git@example.org/team/apps.git"),
        ("git@example.org:team/apps.git", "git@example.org:team/apps.git"),
        ("http://example.org:3000/apps", "http://example.org:3000/apps"),
    ],
)
def test_git_is_given_the_path_as_it_was_written(text: str, address: str) -> None:
    """Servers differ on `.git`, and ssh needs its user; over https the user comes from the credentials."""
    assert RepositoryUrl.parse(text).address == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "apps",
        "/srv/git/apps.git",
        "../apps.git",
        "https://",
        "https:///apps",
        "https://example.org",
        "https://example.org/",
        "https://example.org:port/apps",
        "https://example.org:99999/apps",
        "https://example.org/apps?ref=main",
        "https://example.org/apps#main",
        "https://example.org/../apps",
        "https://exa mple.org/apps",
        "https://example.org/apps\n",
        "https://example.org\\@other.org/apps",
        "https://-example.org/apps",
        "https://[nonsense]/apps",
        "git://example.org/apps",
        "ftp://example.org/apps",
        "git+ssh://example.org/apps",
        "ext::sh -c touch% sentinel",
        "ext::sh",
        "ext://sh",
        "fd::17",
        "-oProxyCommand=touch:apps",
        "ssh://-oProxyCommand=touch/apps",
        "ssh://-l@example.org/apps",
        "-l@example.org:apps",
        "example.org:-apps",
        "--upload-pack=touch",
        "file://host/srv/apps",
        "file://apps",
        "file:///srv/../apps",
    ],
)
def test_what_may_not_be_used_is_refused(text: str) -> None:
    """Options in disguise, helpers that run programs, other transports and nonsense do not pass."""
    with pytest.raises(InvalidRepositoryUrl) as refused:
        RepositoryUrl.parse(text)
    assert "\n" not in str(refused.value)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    """The error names the server, and neither the user nor the password."""
    with pytest.raises(InvalidRepositoryUrl) as refused:
        RepositoryUrl.parse("https://bob:hunter2@example.org/team/apps")
    assert "example.org" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "bob" not in str(refused.value)


@pytest.mark.parametrize(
    ("prefix", "url", "covered"),
    [
        ("https://example.org", "https://example.org/team/apps", True),
        ("https://example.org/team", "https://example.org/team/apps.git", True),
        ("https://example.org/team/", "https://example.org/team/apps", True),
        ("https://example.org/team/apps.git", "https://example.org/team/apps", True),
        ("https://example.org/team", "https://example.org/team-of-others/apps", False),
        ("https://example.org", "https://example.org.attacker.net/apps", False),
        ("https://example.org", "https://example.org:8443/apps", False),
        ("https://example.org", "http://example.org/apps", False),
        ("git@example.org:team", "ssh://git@example.org/team/apps", True),
        ("ssh://example.org", "git@example.org:team/apps", True),
        ("ssh://example.org", "https://example.org/apps", False),
    ],
)
def test_a_prefix_ends_at_a_path_boundary(prefix: str, url: str, covered: bool) -> None:
    """A prefix covers what lies below it on the same server, by the same transport, and nothing else."""
    assert RepositoryUrl.parse_prefix(prefix).covers(RepositoryUrl.parse(url)) is covered
