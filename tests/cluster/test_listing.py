"""Whole lists, projected."""

import pytest

from gitops_backup.cluster.connection import Connection, Json
from gitops_backup.cluster.keys import ObjectKey
from gitops_backup.cluster.listing import list_objects
from gitops_backup.cluster.resources import CONFIG_MAPS, PODS
from gitops_backup.errors import Transient
from tests.cluster.scripted import ScriptedServer, in_turn, object_list, pod, refused


def node_of(thing: Json) -> str | None:
    return thing["spec"]["nodeName"] or None


def test_pages_become_one_dict_of_projections(connection: Connection, namespace: str) -> None:
    """Every object of a real API server is there once, under its key."""
    for number in range(5):
        connection.create(CONFIG_MAPS.path(namespace), {"metadata": {"name": f"map-{number}"}})
    listing = list_objects(
        connection, CONFIG_MAPS, project=lambda thing: "kept", namespace=namespace, page_size=2
    )
    assert listing.objects == {ObjectKey(namespace, f"map-{number}"): "kept" for number in range(5)}
    assert int(listing.resource_version) > 0


def test_what_is_projected_to_none_is_left_out(
    scripted: ScriptedServer, scripted_connection: Connection
) -> None:
    """So that a projection can choose."""
    scripted.answer = in_turn(object_list(pod("a"), pod("b", node="")))
    listing = list_objects(scripted_connection, PODS, project=node_of)
    assert listing.objects == {ObjectKey("shop", "a"): "a"}


def test_an_expired_page_token_starts_the_list_over(
    scripted: ScriptedServer, scripted_connection: Connection
) -> None:
    """What was seen before is forgotten: it may have been deleted meanwhile."""
    scripted.answer = in_turn(
        object_list(pod("old"), token="more"),
        refused(410, "The provided continue parameter is too old", reason="Expired"),
        object_list(pod("a"), token="more", version="20"),
        object_list(pod("b"), version="20"),
    )
    listing = list_objects(scripted_connection, PODS, project=node_of)
    assert list(listing.objects) == [ObjectKey("shop", "a"), ObjectKey("shop", "b")]
    assert listing.resource_version == "20"


def test_pages_that_always_expire_are_given_up_on(
    scripted: ScriptedServer, scripted_connection: Connection
) -> None:
    """It ends, and may be tried again later."""
    scripted.answer = in_turn(refused(410, "too old"))
    with pytest.raises(Transient, match="the pages of pods expire faster than they can be read"):
        list_objects(scripted_connection, PODS, project=node_of)
