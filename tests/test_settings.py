"""Settings: where they come from, what they may be, and that no error repeats a secret."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Prefix
from gitops_backup.domain.policy import Mode, Unmanaged
from gitops_backup.errors import UsageError
from gitops_backup.settings import ClusterSettings, RegistrySettings, RepositorySettings, Settings, load

_GITLAB = {"write": "pull-request", "forge": "gitlab"}
WriteFile = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    """Writes a settings file."""

    def write_file(content: str | bytes) -> Path:
        path = tmp_path / "settings.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def from_environment(**variables: str) -> Settings:
    return load(file=None, environment=variables, flags={})


def refused(
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> str:
    """The one line that ends the start."""
    with pytest.raises(UsageError) as caught:
        load(file=file, environment=environment or {}, flags=flags or {})
    line = str(caught.value)
    assert line.isprintable()
    return line


# -- defaults and precedence ------------------------------------------------------------------------------


def test_defaults() -> None:
    """Nothing has to be set to read settings; the namespaces of the system are left alone."""
    defaults = load(file=None, environment={}, flags={})
    assert defaults == Settings()
    assert defaults.mode is None
    assert defaults.backup_repository is None
    assert defaults.restricted_namespaces == ("kube-system", "kube-public", "kube-node-lease", "image-backup")
    assert (defaults.resync, defaults.expiry, defaults.copies, defaults.copy_timeout) == (1800, 300, 4, 300)
    assert defaults.unmanaged == Unmanaged.REPORT


def test_flags_win_over_the_environment_over_the_file(write: WriteFile) -> None:
    """Each source hides the ones below it, key by key."""
    loaded = load(
        file=write("copies: 1\nresync: 11\nexpiry: 111\n"),
        environment={"GITOPS_BACKUP_COPIES": "2", "GITOPS_BACKUP_RESYNC": "22"},
        flags={"copies": 3},
    )
    assert (loaded.copies, loaded.resync, loaded.expiry) == (3, 22, 111)


def test_flags_that_were_not_given_hide_nothing() -> None:
    """A flag without a value is None."""
    loaded = load(
        file=None, environment={"GITOPS_BACKUP_MODE": "direct"}, flags={"mode": None, "copies": None}
    )
    assert loaded.mode == Mode.DIRECT


def test_earlier_names_work() -> None:
    """An installation of the earlier system keeps its environment."""
    loaded = from_environment(
        BACKUP_REPOSITORY="docker.io/acme/",
        BACKUP_REPOSITORY_USERNAME="me",
        BACKUP_REPOSITORY_PASSWORD="hunter2",
    )
    assert loaded.backup_repository == "docker.io/acme"
    assert loaded.backup_repository_username == "me"
    assert loaded.backup_repository_password == SecretStr("hunter2")


def test_new_names_win_over_earlier_ones(write: WriteFile) -> None:
    """And both win over the file."""
    environment = {"BACKUP_REPOSITORY": "acme/old", "GITOPS_BACKUP_BACKUP_REPOSITORY": "acme/new"}
    file = write("backup_repository: acme/file")
    assert load(file=file, environment=environment, flags={}).backup_repository == "docker.io/acme/new"
    del environment["GITOPS_BACKUP_BACKUP_REPOSITORY"]
    assert load(file=file, environment=environment, flags={}).backup_repository == "docker.io/acme/old"


def test_blank_variables_are_not_given(write: WriteFile) -> None:
    """A Deployment's manifest with an empty value changes nothing."""
    environment = {"BACKUP_REPOSITORY": "", "GITOPS_BACKUP_COPIES": "", "GITOPS_BACKUP_ODD": ""}
    assert load(file=write("copies: 9"), environment=environment, flags={}).copies == 9


def test_other_variables_are_nobodys_business() -> None:
    """Only the prefix makes a variable a setting."""
    assert from_environment(COPIES="x", GITOPS_BACKUPX="y", gitops_backup_copies="z") == Settings()


@pytest.mark.parametrize("content", ["", "\n", "# nothing\n", "---\n", "{}", "null\n", "\ufeff{}\n"])
def test_an_empty_file_sets_nothing(write: WriteFile, content: str) -> None:
    """A ConfigMap may be there before anything is in it."""
    assert load(file=write(content), environment={}, flags={}) == Settings()


def test_lists_are_commas_in_the_environment(write: WriteFile) -> None:
    """And lists, or commas, in the file."""
    expected = ("docker.io/a", "bak.example/m")
    assert (
        from_environment(GITOPS_BACKUP_TRUSTED_PREFIXES=" a/, bak.example/m ,,").trusted_prefixes == expected
    )
    for content in ("trusted_prefixes: [a, bak.example/m]", "trusted_prefixes: a,bak.example/m"):
        assert load(file=write(content), environment={}, flags={}).trusted_prefixes == expected
    assert from_environment(GITOPS_BACKUP_RESTRICTED_NAMESPACES="a,b").restricted_namespaces == ("a", "b")


def test_repositories_are_yaml_in_the_environment(write: WriteFile) -> None:
    """As they are in the file."""
    text = "{https://git.example/team: {write: pull-request, forge: gitlab}}"
    expected = {"https://git.example/team": RepositorySettings.model_validate(_GITLAB)}
    assert from_environment(GITOPS_BACKUP_REPOSITORIES=text).repositories == expected
    assert load(file=write(f"repositories: {text}"), environment={}, flags={}).repositories == expected


def test_clusters_are_yaml_in_the_environment(write: WriteFile) -> None:
    """An empty list of them says something else than none."""
    text = "[{name: dev, server: 'https://dev.example', labels: {env: dev}}]"
    expected = (ClusterSettings(name="dev", server="https://dev.example", labels={"env": "dev"}),)
    assert from_environment(GITOPS_BACKUP_ARGOCD_CLUSTERS=text).argocd_clusters == expected
    assert load(file=write(f"argocd_clusters: {text}"), environment={}, flags={}).argocd_clusters == expected
    assert from_environment(GITOPS_BACKUP_ARGOCD_CLUSTERS="[]").argocd_clusters == ()
    assert Settings().argocd_clusters is None


def test_registries_are_yaml_in_the_environment(write: WriteFile) -> None:
    """As whatever has a structure is."""
    text = "{docker.io/: {location: 'mirror:5000/hub', insecure: true, concurrency: 2}, Quay.io: {}}"
    expected = {
        "docker.io": RegistrySettings(location="mirror:5000/hub", insecure=True, concurrency=2),
        "quay.io": RegistrySettings(),
    }
    assert from_environment(GITOPS_BACKUP_REGISTRIES=text).registries == expected
    assert load(file=write(f"registries: {text}"), environment={}, flags={}).registries == expected


def test_booleans_are_words_in_the_environment() -> None:
    """As people write them."""
    assert from_environment(GITOPS_BACKUP_EXCLUSIVE="true").exclusive
    assert not from_environment(GITOPS_BACKUP_EXCLUSIVE="no").exclusive


# -- what is refused --------------------------------------------------------------------------------------

WRONG: dict[str, list[Any]] = {
    "mode": ["", "Direct", "both", 1, True, []],
    "backup_repository": [
        "",
        "/",
        "docker.io",
        "Acme",
        "acme/a:1",
        "https://x/y",
        "a b",
        "-x",
        5,
        [],
        "p" * 201,
    ],
    "backup_names": ["", "deep", 1, None, []],
    "backup_repository_username": [5, []],
    "backup_repository_password": [5, {}],
    "backup_credentials": [5, []],
    "exclusive": ["perhaps", 2, None],
    "trusted_prefixes": [5, [5], [""], ["A"], "a/b:1", [["a"]], None],
    "source_authfile": [5],
    "source_prefixes": [["quay.io", "-"]],
    "download_prefixes": [
        5,
        ["charts.example"],
        "file:///etc",
        ["https://"],
        ["https://a/../b"],
        ["oci://a b"],
    ],
    "download_authfile": [5, []],
    "registries": [5, [], "quay.io", {"A": {}}, {5: {}}, {"quay.io": 5}],
    "repositories": [
        *(5, [], "https://git.example", {5: {}}, {"https://git.example": 5}),
        *({"https://git.example": {"write": "maybe"}}, {"https://git.example": {"forge": "sourcehut"}}),
        *({"https://git.example": {"api": "git.example"}}, {"https://git.example": {"token": 5}}),
    ],
    "pull_request_branch": ["", "-x", "a/b", "a b", "a" * 101, 5],
    "backup_namespace": ["", "A", "-a", "a-", "a.b", "a" * 64, "image-backup\n", 5],
    "restricted_namespaces": [5, [5], None],
    "argocd_namespaces": [5, [5], None],
    "argocd_destinations": [5, [5], None],
    "argocd_kubeconfig": [5, []],
    "argocd_clusters": [
        *(5, "in-cluster", {}, ["dev"], [{"name": "dev"}], [{"server": "https://dev"}]),
        *([{"name": "dev", "server": "dev"}], [{"name": "", "server": "https://dev"}]),
        [{"name": "dev", "server": "https://me:word@dev"}],
        [{"name": "dev", "server": "https://dev", "labels": {"env": 1}}],
        [
            {
                "name": "dev",
                "server": "https://dev",
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            }
        ],
        [{"name": "dev", "server": "https://dev"}, {"name": "dev", "server": "https://other"}],
    ],
    "unmanaged": ["ignore", None],
    "resync": [0, 0.5, 86401, "soon", ".nan", float("nan"), float("inf"), None],
    "expiry": [0, 31536001, -1],
    "copies": [0, 101, 1.5, "many", None],
    "copy_timeout": [0, 86401],
    "git_username": [5],
    "git_password": [5],
    "git_credentials": [5],
    "git_prefix": [5],
    "git_author_name": ["", "n" * 101, None],
    "git_author_email": ["a@", 5],
    "git_signing_key": [5, []],
    "git_signing_passphrase": [5, []],
    "git_timeout": [0, 3601],
    "kustomize": [5, []],
    "helm": [5, []],
    "jsonnet": [5, []],
    "cache": [5, None],
    "listen": [5],
    "probes_port": [-1, 65536, "http"],
    "metrics_port": [-1, 65536],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in WRONG.items() for value in values]
)
def test_a_bad_value_names_its_key(write: WriteFile, key: str, value: Any) -> None:
    """One line says which setting is wrong, wherever it came from."""
    lines = [refused(file=write(yaml.safe_dump({key: value})))]
    if value is not None:
        lines.append(refused(flags={key: value}))
    for line in lines:
        assert re.match(rf"the setting '{key}[.\w\[\]:/]*' is wrong: .", line)


def test_every_setting_has_a_wrong_value_in_the_table() -> None:
    """So that a new one is thought of."""
    assert set(WRONG) == set(Settings.model_fields)


def test_parts_of_a_setting_are_named() -> None:
    """Which registry, and which field."""
    line = refused(environment={"GITOPS_BACKUP_REGISTRIES": "{quay.io: {concurrency: 0}}"})
    assert "the setting 'registries.quay.io.concurrency' is wrong" in line
    assert "greater than or equal to 1" in line


@pytest.mark.parametrize(
    ("variables", "key"),
    [
        ({"GITOPS_BACKUP_COPY": "4"}, "copy"),
        ({"GITOPS_BACKUP_": "4"}, ""),
        ({"GITOPS_BACKUP_MODEL": "direct"}, "model"),
    ],
)
def test_an_unknown_variable_is_named(variables: dict[str, str], key: str) -> None:
    """A typing error does not go unnoticed."""
    assert refused(environment=variables).startswith(f"there is no setting {key!r}")


def test_an_unknown_key_in_the_file_is_named(write: WriteFile) -> None:
    """The same in the file, and for flags."""
    assert "there is no setting 'copys'" in refused(file=write("copys: 4\n"))
    assert "there is no setting 'Mode'" in refused(file=write("Mode: direct\n"))
    assert "there is no setting 'registries.a.b.odd'" in refused(file=write("registries: {a.b: {odd: 1}}"))
    cluster = "argocd_clusters: [{name: a, server: 'https://a', config: secret}]"
    assert "there is no setting 'argocd_clusters.0.config'" in refused(file=write(cluster))
    assert "there is no setting 'verbose'" in refused(flags={"verbose": 1})


NOT_SETTINGS: dict[str, tuple[str | bytes, str]] = {
    "a list": ("- mode\n", "not a mapping"),
    "a word": ("direct", "not a mapping"),
    "a number as a key": ("5: 6", "not a mapping"),
    "an unclosed list": ("mode: [direct\n", "not YAML (line 2, column 1)"),
    "an unclosed string": ("mode: 'direct\n", "not YAML (line 2, column 1)"),
    "two values": ("mode: a: b", "not YAML (line 1, column 8)"),
    "a tab": ("a:\n\tb: c", "not YAML (line 2, column 1)"),
    "an unknown alias": ("mode: *direct", "not YAML (line 1, column 7)"),
    "a tag that would run code": ("mode: !!python/object/apply:os.getcwd []", "not YAML (line 1, column 7)"),
    "two documents": ("mode: direct\n---\nmode: gitops\n", "not YAML (line 2, column 1)"),
    "a date that is none": ("expiry: 2024-13-45", "not YAML"),
    "a list as a key": ("[a]: b", "not YAML (line 1, column 1)"),
    "a zero byte": (b"mode: \0", "not YAML"),
    "no UTF-8": (b"mode: \xff\xff", "not YAML"),
}


@pytest.mark.parametrize(("content", "why"), NOT_SETTINGS.values(), ids=NOT_SETTINGS)
def test_a_file_that_holds_no_settings_is_named(write: WriteFile, content: str | bytes, why: str) -> None:
    """With the place, where there is one."""
    file = write(content)
    line = refused(file=file)
    assert str(file) in line
    assert why in line


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """With what the system says about it."""
    assert refused(file=tmp_path / "absent") == (
        f"the settings file {tmp_path / 'absent'} cannot be read: No such file or directory"
    )
    assert "cannot be read: Is a directory" in refused(file=tmp_path)


def test_registries_that_are_no_yaml_are_named() -> None:
    """The environment has no lines, but the setting has a name."""
    line = refused(environment={"GITOPS_BACKUP_REGISTRIES": "{a: ["})
    assert "the setting 'registries' is not YAML" in line


# -- secrets ----------------------------------------------------------------------------------------------

SECRET = "hunter2hunter2"


def everything_printed(error: BaseException) -> str:
    """An error and what is shown of its causes, as a traceback would."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{error!s} {error!r} " + (everything_printed(cause) if cause is not None else "")


LEAKS = {
    "broken quotes": f"backup_repository_password: '{SECRET}\n",
    "an alias": f"backup_repository_password: *{SECRET}\n",
    "a tag": f"backup_repository_password: !{SECRET} a\n",
    "a reserved sign": f"git_password: %{SECRET}\n",
    "a colon": f"git_password: a: {SECRET}\n",
    "a list": f"git_password: [{SECRET}]\n",
    "a mapping": f"git_password: {{{SECRET}: 1}}\n",
    "another wrong setting": f"git_password: {SECRET}\ncopies: 0\n",
    "an unknown setting": f"git_passwort: {SECRET}\n",
    "a URL with credentials": f"backup_repository: https://me:{SECRET}@bak.example/m\n",
    "a trusted URL with credentials": f"trusted_prefixes: ['https://me:{SECRET}@bak.example/m']\n",
}


@pytest.mark.parametrize("content", LEAKS.values(), ids=LEAKS)
def test_errors_do_not_repeat_secrets(write: WriteFile, content: str) -> None:
    """Neither the line nor what a traceback would add to it."""
    with pytest.raises(UsageError) as caught:
        load(file=write(content), environment={}, flags={})
    assert SECRET not in everything_printed(caught.value)


def test_settings_do_not_show_secrets() -> None:
    """They may be logged."""
    loaded = from_environment(
        BACKUP_REPOSITORY_PASSWORD=SECRET, GITOPS_BACKUP_GIT_PASSWORD=SECRET, GITOPS_BACKUP_COPIES="2"
    )
    assert loaded.git_password is not None
    assert loaded.git_password.get_secret_value() == SECRET
    assert SECRET not in f"{loaded!r} {loaded!s} {loaded.model_dump()} {loaded.model_dump_json()}"


# -- the policy -------------------------------------------------------------------------------------------


def test_the_policy_follows_from_the_settings() -> None:
    """Prefixes are parsed, and the namespace of the backups is always left alone."""
    policy = from_environment(
        BACKUP_REPOSITORY="acme",
        GITOPS_BACKUP_TRUSTED_PREFIXES="bak.example/m",
        GITOPS_BACKUP_EXCLUSIVE="true",
        GITOPS_BACKUP_UNMANAGED="patch",
        GITOPS_BACKUP_BACKUP_NAMESPACE="backups",
        GITOPS_BACKUP_RESTRICTED_NAMESPACES="kube-system",
    ).policy(mode=Mode.GITOPS)
    assert policy.mode == Mode.GITOPS
    assert str(policy.naming.backup(Reference.parse("nginx:1"))) == "docker.io/acme/library_nginx:1"
    assert policy.trusted == (Prefix("bak.example", "m"),)
    assert policy.trusts(Reference.parse("bak.example/m/a"))
    assert policy.exclusive
    assert policy.unmanaged == Unmanaged.PATCH
    assert policy.restricted_namespaces == {"kube-system", "backups"}


def test_without_a_backup_repository_there_is_no_policy() -> None:
    """The one setting without a default that everything needs."""
    with pytest.raises(UsageError, match="no backup repository is set"):
        Settings().policy(mode=Mode.REPORT)


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from([*Settings.model_fields, "odd"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=8)
        | st.lists(st.text(max_size=4)),
        max_size=4,
    ),
    st.dictionaries(
        st.sampled_from([f"GITOPS_BACKUP_{name.upper()}" for name in Settings.model_fields]),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
        max_size=4,
    ),
)
def test_any_settings_are_taken_or_refused_in_one_line(
    flags: dict[str, Any], environment: dict[str, str]
) -> None:
    """Nothing that people set ends in a traceback."""
    try:
        loaded = load(file=None, environment=environment, flags=flags)
    except UsageError as error:
        assert str(error).isprintable()  # noqa: PT017, both ends are fine
    else:
        if loaded.backup_repository is not None:
            loaded.policy(mode=Mode.REPORT)


def test_with_another_clusters_argo_cd_this_cluster_needs_a_name(tmp_path: Path) -> None:
    """What Argo CD calls in-cluster is its own."""
    there = {"backup_repository": "acme", "argocd_kubeconfig": tmp_path / "kubeconfig"}
    with pytest.raises(UsageError, match="in-cluster are another cluster than this one"):
        load(file=None, environment={}, flags=there).policy(mode=Mode.GITOPS)
    named = load(file=None, environment={"GITOPS_BACKUP_ARGOCD_DESTINATIONS": "prod, b"}, flags=there)
    assert named.policy(mode=Mode.GITOPS).argocd_destinations == {"prod", "b"}
