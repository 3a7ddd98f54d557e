"""Where the API server is and who asks: the service account of a pod, or a kubeconfig.

Kubeconfig files are read and merged here, as kubectl does it: of several files the first that has a name, or
a current context, wins, and relative paths count from the file that has them. The client's own merger lets
the last current context win, and its error messages repeat the file's contents, tokens and keys included.
"""
# mypy: untyped-calls-exclude=kubernetes.config

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import SERVICE_HOST_ENV_NAME, InClusterConfigLoader
from kubernetes.config.kube_config import KubeConfigLoader

from gitops_backup.errors import UsageError, one_line

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_SECTIONS = ("clusters", "contexts", "users")
_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def find_configuration(
    *,
    kubeconfig: Path | None,
    context: str | None,
    environ: Mapping[str, str],
    service_account: Path = SERVICE_ACCOUNT,
) -> Configuration:
    """The client's configuration for the API server that is meant.

    That is the cluster around this pod when neither a kubeconfig (as an argument or as KUBECONFIG) nor a
    context is asked for and the service account's files are there; otherwise the kubeconfig's `context`, or
    its current one. Raises `UsageError` in one line for everything that is missing or malformed.
    """
    token = service_account / "token"
    asked_for = kubeconfig or context or environ.get("KUBECONFIG")
    if not asked_for and SERVICE_HOST_ENV_NAME in environ and token.is_file():
        return _in_cluster(token=token, authority=service_account / "ca.crt", environ=environ)
    paths = _kubeconfig_paths(kubeconfig, environ)
    return _from_kubeconfig(paths, context)


def _in_cluster(*, token: Path, authority: Path, environ: Mapping[str, str]) -> Configuration:
    configuration = Configuration()
    loader = InClusterConfigLoader(token_filename=str(token), cert_filename=str(authority), environ=environ)
    try:
        loader.load_and_set(configuration)
    except (ConfigException, OSError) as error:
        raise UsageError(f"the pod's service account cannot be used: {one_line(str(error))}") from error
    return configuration


def _kubeconfig_paths(kubeconfig: Path | None, environ: Mapping[str, str]) -> list[Path]:
    if kubeconfig is not None:
        return [kubeconfig]
    if named := environ.get("KUBECONFIG"):
        present = [Path(part) for part in named.split(os.pathsep) if part and _is_there(Path(part))]
        if not present:
            raise UsageError(f"no kubeconfig at {named}, which KUBECONFIG names")
        return present
    default = Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"
    if not _is_there(default):
        raise UsageError(
            f"no kubeconfig: not in a cluster, KUBECONFIG is not set and {default} is not there",
            hint="name one with --kubeconfig",
        )
    return [default]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # reading it will say why it cannot be read


def _from_kubeconfig(paths: Sequence[Path], context: str | None) -> Configuration:
    merged = _merged(paths)
    where = ", ".join(map(str, paths))
    known = ", ".join(sorted(entry["name"] for entry in merged["contexts"])) or "none"
    chosen = context or merged["current-context"]
    if not chosen:
        raise UsageError(f"kubeconfig {where} has no current context", hint=f"choose one of: {known}")
    if chosen not in [entry["name"] for entry in merged["contexts"]]:
        raise UsageError(f"no context {chosen} in kubeconfig {where}", hint=f"there are: {known}")
    return _loaded(merged, chosen, f"context {chosen} of kubeconfig {where}")


def _loaded(merged: dict[str, Any], context: str, title: str) -> Configuration:
    configuration = Configuration(host="")  # or it would be some server on this machine
    try:
        with _logged() as messages:
            loader = KubeConfigLoader(config_dict=merged, active_context=context, config_base_path="")
            loader.load_and_set(configuration)
    except (ConfigException, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise UsageError(f"{title} is malformed: {one_line(str(error))}") from error
    if messages:
        raise UsageError(f"{title} gives no credentials: {one_line(messages[0])}")
    if not configuration.host.startswith(("https://", "http://")):
        raise UsageError(f"{title} is malformed: the cluster's server is no URL: {configuration.host!r}")
    if token_file := _token_file(merged, context):
        # the client reads it once, and tokens in files are replaced while we run
        configuration.refresh_api_key_hook = lambda it: it.api_key.update(  # type: ignore[assignment]
            dict.fromkeys(it.api_key, f"Bearer {token_file.read_text()}")
        )
    return configuration


def _token_file(merged: dict[str, Any], context: str) -> Path | None:
    name = next(each["context"].get("user") for each in merged["contexts"] if each["name"] == context)
    for each in merged["users"]:
        if each["name"] == name and each["user"].get("tokenFile") and not each["user"].get("token"):
            return Path(each["user"]["tokenFile"])
    return None


def _merged(paths: Sequence[Path]) -> dict[str, Any]:
    merged: dict[str, Any] = {"current-context": "", **{section: [] for section in _SECTIONS}}
    for path in paths:
        document = _parsed(path)
        merged["current-context"] = merged["current-context"] or document.get("current-context", "")
        for section in _SECTIONS:
            present = {entry["name"] for entry in merged[section]}
            for entry in _entries(path, document, section):
                if entry["name"] not in present:
                    merged[section].append(entry)
    return merged


def _parsed(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"no kubeconfig at {path}") from error
    except OSError as error:
        raise UsageError(f"kubeconfig {path} cannot be read: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UsageError(f"kubeconfig {path} is no YAML{place}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"kubeconfig {path} is no YAML") from error
    if not isinstance(document, dict):
        raise UsageError(f"kubeconfig {path} is malformed: expected a mapping")
    return document


def _entries(path: Path, document: dict[str, Any], section: str) -> Iterator[dict[str, Any]]:
    entries = document.get(section) or []
    inner = section.removesuffix("s")
    malformed = f"kubeconfig {path} is malformed"
    if not isinstance(entries, list):
        raise UsageError(f"{malformed}: expected {section} to be a list")
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise UsageError(f"{malformed}: an entry of {section} has no name")
        if not isinstance(entry.get(inner), dict):
            raise UsageError(f"{malformed}: {entry['name']} in {section} has no {inner}")
        yield {"name": entry["name"], inner: _anchored(entry[inner], path.absolute().parent)}


def _anchored(value: dict[str, Any], folder: Path) -> dict[str, Any]:
    anchored = dict(value)
    for key in _PATHS:
        if isinstance(text := value.get(key), str) and text:
            anchored[key] = str(folder / text)
    plugin = value.get("exec")
    if isinstance(plugin, dict) and isinstance(command := plugin.get("command"), str) and os.sep in command:
        anchored["exec"] = {**plugin, "command": str(folder / command)}
    return anchored


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Collects what is logged to the root logger, and keeps it from being shown.

    The client reports a credential plugin that fails there, and nowhere else.
    """
    messages: list[str] = []

    def collect(record: logging.LogRecord) -> bool:
        messages.append(record.getMessage())
        return False

    root = logging.getLogger()
    handler = logging.NullHandler()  # with no handler at all, logging.error() would install one
    root.addFilter(collect)
    root.addHandler(handler)
    try:
        yield messages
    finally:
        root.removeHandler(handler)
        root.removeFilter(collect)
