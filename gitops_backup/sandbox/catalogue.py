"""What a sandbox's upstream registry holds from the start: the images that `samples/` names, and some more.

The references are those of well-known images; what is behind them is tiny and made here. One registry process
stands for several hosts, each below a path of its own.
"""

from gitops_backup.domain.images import Reference

UPSTREAM_HOSTS = ("docker.io", "ghcr.io", "quay.io", "registry.k8s.io")
BACKUP_REPOSITORY = "docker.io/marcosquesada"
DEEP_BACKUP_REPOSITORY = "backups.example/all"
"""The same registry, under a name that may have deeper paths than those of Docker Hub."""


_ONE = ("linux/amd64",)
_TWO = ("linux/amd64", "linux/arm64")
_IMAGES = {
    "docker.io/library/nginx:1.14.0": _TWO,
    "docker.io/library/nginx:1.14.2": _TWO,
    "docker.io/library/nginx:1.25": _TWO,
    "docker.io/library/nginx:1.26": _TWO,
    "docker.io/library/fluentd:latest": _ONE,
    "docker.io/library/busybox:1.36": _TWO,
    "docker.io/library/redis:7.2": _TWO,
    "docker.io/library/postgres:16": _ONE,
    "docker.io/grafana/grafana:10.4.2": _ONE,
    "ghcr.io/stefanprodan/podinfo:6.6.0": _TWO,
    "quay.io/prometheus/node-exporter:v1.8.0": _TWO,
    "registry.k8s.io/coredns/coredns:v1.11.1": _TWO,
    "registry.k8s.io/pause:3.9": _TWO,
}


def catalogue() -> list[tuple[Reference, tuple[str, ...]]]:
    """Each image with its platforms."""
    return [(Reference.parse(name), platforms) for name, platforms in _IMAGES.items()]
