"""Hypothesis strategies for what the domain reads: references, prefixes and times."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from gitops_backup.domain.images import LONGEST_REPOSITORY, Reference

_LOWER = "abz019"
_SEPARATORS = st.sampled_from([".", "_", "__", "-", "--"])

words = st.text(_LOWER, min_size=1, max_size=4)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", fullmatch=True)
digests = st.one_of(
    st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format),
    st.text("0123456789abcdef", min_size=128, max_size=128).map("sha512:{}".format),
)
ports = st.sampled_from(["", ":1", ":80", ":5000", ":65535"])
moments = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC, microsecond=0)
)


@st.composite
def components(draw: st.DrawFn) -> str:
    """One component of a repository, with separators of every kind, and now and then a long one."""
    text = draw(words)
    for _ in range(draw(st.integers(0, 3))):
        text += draw(_SEPARATORS) + draw(words)
    return text * draw(st.sampled_from([1, 1, 1, 1, 20]))


def _hosts() -> st.SearchStrategy[str]:
    labels = st.one_of(words, st.builds("{}-{}".format, words, words))
    return st.one_of(
        st.just("docker.io"),
        st.just("quay.io"),
        st.builds("{}.{}{}".format, labels, labels, ports),
        st.builds("{}.{}.{}{}".format, labels, labels, words, ports),
        st.builds("{}.{}.{}.{}{}".format, *[st.integers(0, 255)] * 4, ports),
        st.builds("localhost{}".format, ports),
        st.builds("{}{}".format, words, ports.filter(bool)),
        st.builds("[::{:x}]{}".format, st.integers(0, 9), ports),
        labels.map(lambda label: (label * 40)[:150].strip("-") + ".example"),
    )


hosts = _hosts()
repositories = (
    st.lists(components(), min_size=1, max_size=4)
    .map("/".join)
    .filter(lambda path: len(path) <= LONGEST_REPOSITORY - len("library/"))
)


@st.composite
def references(draw: st.DrawFn) -> Reference:
    """A reference in normal form: by tag, by digest, or both."""
    text = f"{draw(hosts)}/{draw(repositories)}"
    by_tag, by_digest = draw(st.sampled_from([(True, False), (False, True), (True, True), (False, False)]))
    if by_tag:
        text += f":{draw(tags)}"
    if by_digest:
        text += f"@{draw(digests)}"
    return Reference.parse(text)


prefixes = st.sampled_from(
    [
        "docker.io/marcosquesada",
        "docker.io/a_b/c__d",
        "bak.example",
        "bak.example/m",
        "localhost",
        "localhost:5000/x/y",
        "10.0.0.1:5000",
        "[::1]:5000/x",
        "docker.io/" + "p" * 200,
    ]
)
