"""The rules that ApplicationSets are evaluated by: patterns, values, selectors, clusters."""

import base64

import pytest
from yaml.nodes import Node

from gitops_backup.sources.applicationsets.clusters import LABEL, Cluster
from gitops_backup.sources.applicationsets.parameters import normalized
from gitops_backup.sources.applicationsets.patterns import DirectoryPattern, FilePattern
from gitops_backup.sources.applicationsets.values import printed, value_of
from gitops_backup.sources.documents import File


def _root(text: str) -> Node:
    return next(File.read("x.yaml", text.encode()).documents()).root


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("a/config.json", "a/config.json", True),
        ("./a//config.json", "a/config.json", True),
        ("a", "a/b/c", True),
        ("a", "ab", False),
        ("a/", "a/b", True),
        ("a?/", "ab", False),
        (".", "a/b", True),
        ("", "a/b", True),
        ("a/*.json", "a/b/c.json", True),
        ("a/**/c.json", "a/b/c.json", True),
        ("a/**/c.json", "a/c.json", False),
        ("**/c.json", "c.json", False),
        ("*/c.json", "a/b/c.json", True),
        ("a/?.json", "a/b.json", True),
        ("a/[!b].json", "a/b.json", False),
        ("a/[a-c].json", "a/b.json", True),
        ("a/{b,c}.json", "a/b.json", False),
        (r"a/\*.json", "a/b.json", False),
        (r"a/\*.json", "a/*.json", True),
        ("a*", "a/b", True),
        ("*a*a*a*a*a*a*a*a*b", "a" * 2000, False),
    ],
)
def test_files_are_matched_as_git_does(pattern: str, path: str, matches: bool) -> None:
    """As `git ls-files` does: stars stand for slashes, too, and folders for what is in them."""
    assert FilePattern(pattern).matches(path) == matches


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("apps/*", "apps/a", True),
        ("apps/*", "apps/a/b", False),
        ("apps", "apps/a", False),
        ("*", "apps", True),
        ("**", "apps/a", False),
        ("apps/?", "apps/a", True),
        ("apps?a", "apps/a", False),
        ("apps/[^a]", "apps/b", True),
        ("apps/[^a]", "apps/a", False),
        (r"apps/[\]-]", "apps/-", True),
        ("apps/[x-z]", "apps/y", True),
        (r"\*", "*", True),
    ],
)
def test_folders_are_matched_as_go_does(pattern: str, path: str, matches: bool) -> None:
    """Stars stop at slashes."""
    assert DirectoryPattern(pattern).matches(path) == matches


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1"),
        (0, "0"),
        (1.5, "1.5"),
        (-2.5, "-2.5"),
        (8080, "8080"),
        (100_000, "100000"),
        (999_999, "999999"),
        (1_000_000, "1e+06"),
        (1_234_567, "1.234567e+06"),
        (123_456_789, "1.23456789e+08"),
        (1e21, "1e+21"),
        (0.1, "0.1"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (12_345_678_901_234_567_890, "1.2345678901234567e+19"),
        (float("inf"), "+Inf"),
        (True, "true"),
        (None, "<nil>"),
        ("text", "text"),
    ],
)
def test_values_are_printed_as_go_prints_them(number: object, text: str) -> None:
    """Every number is a float64."""
    assert printed(number) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("y", True),
        ("Off", False),
        ('"yes"', "yes"),
        ("~", None),
        ("", None),
        ("010", 8),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.10", 1.1),
        ("1:30", "1:30"),
        ("2026-01-02", "2026-01-02"),
        ("1.2.3", "1.2.3"),
        ("089", 89.0),
        ("!!str 1", "1"),
        ("{1: a, on: b, 1.50: c, d: e}", {"1": "a", "true": "b", "1.5": "c", "d": "e"}),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
    ],
)
def test_values_are_read_as_argo_cd_reads_them(text: str, value: object) -> None:
    """By the rules of YAML 1.1 that Go's library has."""
    (read,) = value_of(_root(f"[{text}]" if text else "[~]"))
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "normal"),
    [("My_App", "my-app"), ("-a.", "a"), ("a/b c", "a-b-c"), ("é", ""), ("x" * 300, "x" * 253)],
)
def test_names_are_made_those_of_objects(name: str, normal: str) -> None:
    """Small letters, digits, dashes and dots."""
    assert normalized(name) == normal


def test_of_a_cluster_no_credentials_are_kept() -> None:
    """Its name, URL and project alone, and what is on its Secret, but for Argo CD's own."""
    cluster = Cluster.project_secret(
        {
            "kind": "Secret",
            "metadata": {
                "labels": {LABEL: "cluster", "env": "dev", "no": 5},
                "annotations": {"note": "n", "argocd.argoproj.io/refresh": "hard"},
            },
            "data": {"name": base64.b64encode(b"dev").decode(), "config": "c2VjcmV0", "project": "?"},
            "stringData": {"server": "https://dev", "config": "secret"},
        }
    )
    assert cluster == Cluster(
        name="dev",
        server="https://dev",
        project="",
        labels={LABEL: "cluster", "env": "dev"},
        annotations={"note": "n"},
    )
    assert Cluster.project_secret({"kind": "Secret", "metadata": {"labels": {LABEL: "repository"}}}) is None
    assert Cluster.project_secret({"kind": "ConfigMap", "metadata": {"labels": {LABEL: "cluster"}}}) is None
