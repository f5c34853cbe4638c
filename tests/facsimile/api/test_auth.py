"""What a caller may do and see, by the scopes and collections of their key."""

from __future__ import annotations

import pytest

from facsimile.api.auth import NO_COLLECTION, Caller
from facsimile.api.problems import Problem

EVERYTHING = Caller("open")
TENANT = Caller("tenant", ("read",), ("shop", "press"))


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (("read",), {"read"}),
        (("write",), {"write"}),
        (("read", "write"), {"read", "write"}),
        (("admin",), {"read", "write", "admin"}),
    ],
)
def test_a_scope_allows_itself_and_admin_allows_all(scopes: tuple[str, ...], allowed: set[str]) -> None:
    caller = Caller("key", scopes)
    assert {scope for scope in ("read", "write", "admin") if caller.may(scope)} == allowed


def test_a_caller_without_collections_sees_all_of_them() -> None:
    assert EVERYTHING.sees("anything")
    assert EVERYTHING.within() == ()
    assert EVERYTHING.within(["a", "b"]) == ("a", "b")
    assert EVERYTHING.target(None) == "default"
    assert EVERYTHING.target("a") == "a"


def test_a_tenant_sees_its_own_collections_alone() -> None:
    assert TENANT.sees("shop") and not TENANT.sees("default")
    assert TENANT.within() == ("shop", "press")
    assert TENANT.within(["press", "foreign"]) == ("press",)


def test_a_query_for_foreign_collections_finds_nothing_instead_of_everything() -> None:
    assert TENANT.within(["foreign"]) == NO_COLLECTION


def test_a_tenant_writes_to_its_own_collections_alone() -> None:
    assert TENANT.target(None) == "shop"
    assert Caller("default", (), ("shop", "default")).target(None) == "default"
    assert TENANT.target("press") == "press"
    with pytest.raises(Problem, match="may not write"):
        TENANT.target("foreign")
