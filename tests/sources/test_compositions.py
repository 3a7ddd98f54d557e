"""Images put together of pieces, and which pieces to change."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gitops_backup.sources.composed.compositions import Composition, NoCopy, NotWritable, Segment, solve

FLAT = "bak.example/m/library_nginx"
NESTED = "bak.example/m/docker.io/library/nginx"


def composed(*parts: str) -> Composition[str]:
    """A name of these parts; those with a name and a colon in front are pieces."""
    name, segments = "", []
    for part in parts:
        piece, colon, text = part.partition("=")
        if colon:
            segments.append(Segment(piece, len(name), len(name) + len(text)))
        name += text if colon else part
    return Composition(name, tuple(segments))


WEB = composed("host=docker.io", "/", "web=library/nginx")
CACHE = composed("host=docker.io", "/", "cache=library/redis")
BOTH = {"web": WEB, "cache": CACHE}
CACHE_FLAT = "bak.example/m/library_redis"

SOLVED = {
    "in one piece": ({"web": composed("a=nginx")}, {"web": FLAT}, {"a": FLAT}),
    "in two": ({"web": WEB}, {"web": FLAT}, {"host": "bak.example", "web": "m/library_nginx"}),
    "the prefix alone": ({"web": WEB}, {"web": NESTED}, {"host": "bak.example/m/docker.io"}),
    "the name alone": ({"web": WEB}, {"web": "docker.io/acme/library_nginx"}, {"web": "acme/library_nginx"}),
    "in three": (
        {"web": composed("h=quay.io", "/", "o=acme", "/", "n=web")},
        {"web": "bak.example/m/quay.io_acme_web"},
        {"h": "bak.example", "o": "m", "n": "quay.io_acme_web"},
    ),
    "with a slash where there was one": (
        {"web": composed("hub=docker.io/istio", "/", "image=pilot")},
        {"web": "bak.example/m/istio_pilot"},
        {"hub": "bak.example/m", "image": "istio_pilot"},
    ),
    "with a slash in front": (
        {"web": composed("host=quay.io", "web=/acme/web")},
        {"web": "bak.example/m/quay.io_acme_web"},
        {"host": "bak.example", "web": "/m/quay.io_acme_web"},
    ),
    "side by side": (
        {"web": composed("web=quay.io/acme/web", "suffix=-debug")},
        {"web": "bak.example/m/quay.io_acme_web-debug"},
        {"web": "bak.example/m/quay.io_acme_web"},
    ),
    "with a slash where there was none": (
        {"web": composed("hub=docker.io/istio", "/", "image=pilot")},
        {"web": "bak.example/istio_pilot"},
        {"hub": "bak.example", "image": "istio_pilot"},
    ),
    "with text of the template": (
        {"web": composed("p=ghcr.io/acme/shop", "-api")},
        {"web": "bak.example/m/ghcr.io_acme_shop-api"},
        {"p": "bak.example/m/ghcr.io_acme_shop"},
    ),
    "a piece twice": ({"web": composed("a=x", "/", "a=x")}, {"web": "y.z/y.z"}, {"a": "y.z"}),
    "with another image": (
        BOTH,
        {"web": FLAT, "cache": CACHE_FLAT},
        {"host": "bak.example", "web": "m/library_nginx", "cache": "m/library_redis"},
    ),
    "beside another image": (
        {"web": composed("web=nginx"), "cache": composed("cache=redis")},
        {"web": FLAT, "cache": CACHE_FLAT},
        {"web": FLAT},
    ),
    "nothing": ({"web": WEB}, {"web": "docker.io/library/nginx"}, {}),
}


@pytest.mark.parametrize("case", SOLVED.values(), ids=SOLVED.keys())
def test_the_fewest_pieces_are_changed(
    case: tuple[dict[str, Composition[str]], dict[str, str], dict[str, str]],
) -> None:
    """And those of other images, as far as they change with them."""
    compositions, targets, expected = case
    assert solve("web", compositions, targets, changed={}, fixed=frozenset()) == expected


@pytest.mark.parametrize(
    ("compositions", "targets", "fixed"),
    [
        ({}, {"web": FLAT}, ""),
        ({"web": composed("nginx")}, {"web": FLAT}, ""),
        ({"web": composed("docker.io/", "a=nginx")}, {"web": FLAT}, ""),
        ({"web": composed("h=docker.io", "/library/nginx")}, {"web": FLAT}, ""),
        ({"web": WEB}, {"web": FLAT}, "host"),
        ({"web": composed(*(f"p{number}=x" for number in range(200)))}, {"web": "y" * 255}, ""),
        ({"web": composed("a=nginx"), "b": composed("docker.io/", "a=nginx")}, {"web": FLAT, "b": FLAT}, ""),
        ({"web": composed("h=x", "/", "o=y", "/", "n=z")}, {"web": "bak.example/x_y_z"}, "n"),
        ({"web": composed("a=quay.io/acme/we", "b=b")}, {"web": "bak.example/m/x"}, ""),
    ],
)
def test_what_does_not_fit_is_refused(
    compositions: dict[str, Composition[str]], targets: dict[str, str], fixed: str
) -> None:
    """A template's own text, a fixed piece, or another image may stand against it."""
    with pytest.raises(NotWritable):
        solve("web", compositions, targets, changed={}, fixed=frozenset({fixed}))


def test_an_image_without_a_copy_is_named() -> None:
    """No value moves what was not copied."""
    with pytest.raises(NoCopy) as refused:
        solve("web", BOTH, {"web": FLAT}, changed={}, fixed=frozenset())
    assert (refused.value.user, refused.value.piece) == ("cache", "host")


def test_what_was_changed_before_stays() -> None:
    """The second image is spelled with the first one's host, or not at all."""
    targets = {"web": FLAT, "cache": CACHE_FLAT}
    before = {"host": "bak.example", "web": "m/library_nginx"}
    solved = solve("cache", BOTH, targets, changed=before, fixed=frozenset())
    assert solved == {**before, "cache": "m/library_redis"}
    with pytest.raises(NotWritable):
        solve("cache", BOTH, targets, changed={"host": "other.example"}, fixed=frozenset())


WORDS = st.text(alphabet="ab/", min_size=1, max_size=3)
PARTS = st.lists(st.tuples(st.sampled_from(["", "x", "y", "z"]), WORDS), min_size=1, max_size=5)


@given(
    parts=st.dictionaries(st.sampled_from("pqr"), PARTS, min_size=1),
    targets=st.dictionaries(st.sampled_from("pqr"), st.text(alphabet="ab/", min_size=1, max_size=9)),
)
def test_whatever_is_solved_is_right(
    parts: dict[str, list[tuple[str, str]]], targets: dict[str, str]
) -> None:
    """The image has its new name, and every other one its old or its own new one."""
    texts: dict[str, str] = {}
    compositions = {}
    for user, pieces in parts.items():
        whole = [f"{piece}={texts.setdefault(piece, text)}" if piece else text for piece, text in pieces]
        compositions[user] = composed(*whole)
    user = min(parts)
    assume(user in targets)
    try:
        solved = solve(user, compositions, targets, changed={}, fixed=frozenset())
    except (NotWritable, NoCopy):
        return
    names = {each: composition.spelled(solved) for each, composition in compositions.items()}
    assert names[user] == targets[user]
    for each, name in names.items():
        assert name in (compositions[each].name, targets.get(each))
