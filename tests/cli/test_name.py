"""`gitops-backup name`: a table of names, and nothing that a script could stumble over."""

from tests.cli.command import command, refused

_ENV = {"BACKUP_REPOSITORY": "docker.io/acme"}


def test_the_names_stand_in_a_table_like_those_of_kubectl() -> None:
    """A heading, and a line for each image in the order in which they were given."""
    answer = command("name", "nginx:1.14.2", "quay.io/argoproj/argocd:v3.0.0", env=_ENV)
    assert answer.out == (
        "IMAGE                            BACKUP                                          IMAGEBACKUP\n"
        "nginx:1.14.2                     docker.io/acme/library_nginx:1.14.2"
        "             library-nginx-1-14-2-bf6b44d4b6c35cec\n"
        "quay.io/argoproj/argocd:v3.0.0   docker.io/acme/quay.io_argoproj_argocd:v3.0.0"
        "   quay-io-argoproj-argocd-v3-0-0-c447ec42d4856ef1\n"
    )
    assert (answer.code, answer.err) == (0, "")


def test_a_script_can_do_without_the_headings() -> None:
    """One line for one image, with columns that awk finds."""
    answer = command("name", "--no-headers", "fluentd", env=_ENV)
    assert answer.out.split() == [
        "fluentd",
        "docker.io/acme/library_fluentd:latest",
        "library-fluentd-latest-d39e3482892dc2d8",
    ]
    assert answer.out.count("\n") == 1


def test_the_longest_names_stay_in_one_line() -> None:
    """A name of the greatest length that a registry takes is not folded."""
    image = f"registry.example.com:5000/{'a' * 200}:{'t' * 128}"
    lines = command("name", image, env=_ENV).out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"{image}   docker.io/acme/")


def test_the_prefix_may_be_an_option() -> None:
    """It wins over the environment."""
    answer = command("name", "--no-headers", "nginx", "--backup-repository", "bak.example/m", env=_ENV)
    assert answer.out.split()[1] == "bak.example/m/library_nginx:latest"


def test_what_is_no_reference_is_named_with_what_is_wrong_with_it() -> None:
    """Nothing is printed, not even for the images that are right."""
    told = refused("name", "nginx", "Nginx:1", env=_ENV)
    assert told.startswith("'Nginx:1' is not an image reference: its repository is not lower-case")


def test_a_prefix_is_needed() -> None:
    """The line says which setting it is."""
    assert refused("name", "nginx") == (
        "no backup repository is set (set BACKUP_REPOSITORY, for example docker.io/acme)"
    )
