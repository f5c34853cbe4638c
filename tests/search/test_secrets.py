"""What of an address is hidden before it is stored or shown."""

from __future__ import annotations

import pytest

from facsimile.search.secrets import without_url_secrets

SECRETS = [
    "ftp://user:hunter2@example.org/a.jpg",
    "http://hunter2@example.org/a.jpg",
    "https://example.org/a.jpg?X-Amz-Date=1&X-Amz-Signature=hunter2&x=1",
    "https://example.org/a.jpg?X-Amz-Security-Token=hunter2",
    "https://example.org/a.jpg?X-Goog-Signature=hunter2",
    "https://example.blob/a.jpg?sv=2024&sig=hunter2%3D",
    "https://example.org/a.jpg?Expires=1;Signature=hunter2",
    "https://example.org/a.jpg?access_token=hunter2#part",
    "https://example.org/a.jpg?password=hunter2",
    "https://example.org/a.jpg?apikey=hunter2&pwd=hunter2",
    'there is no https://user:hunter2@example.org/a.jpg (at "http://x:hunter2@y/?token=hunter2")',
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_of_addresses_are_hidden(text: str) -> None:
    hidden = without_url_secrets(text)
    assert "hunter2" not in hidden
    assert "example.org" in hidden or "example.blob" in hidden
    assert without_url_secrets(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/@user/a.jpg?key=a.jpg&size=2&design=x&author=me",
        "/photos/a@b/token=x.jpg",
        "s3://bucket/a@b.jpg",
        "",
        '{"source":"s3://bucket","mail":"a@b"}',
    ],
)
def test_the_rest_stays_as_it_is(text: str) -> None:
    assert without_url_secrets(text) == text


def test_two_pictures_of_one_service_stay_two() -> None:
    first, second = (without_url_secrets(f"https://example.org/get?token={each}") for each in ("a1", "b2"))
    assert first != second
    assert without_url_secrets("https://x.example/a?password=a") == without_url_secrets(
        "https://x.example/a?password=b"
    )
