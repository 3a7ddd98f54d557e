"""Times as Kubernetes writes them."""

from datetime import UTC, datetime


def micro_time(moment: datetime) -> str:
    """A `MicroTime`: RFC 3339 in UTC with microseconds, which Leases and Events demand."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
