import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsimile.search.errors import InvalidRequest
from facsimile.search.index.elastic.location import ElasticLocation


def test_several_hosts_a_port_that_is_missing_and_a_path_of_a_proxy():
    location = ElasticLocation.parse("https://one:9201,two,[::1]:9203/behind/proxy/pictures")
    assert location.hosts == (("one", 9201), ("two", 9200), ("[::1]", 9203))
    assert location.name == "pictures"
    assert location.nodes == [
        "https://one:9201/behind/proxy",
        "https://two:9200/behind/proxy",
        "https://[::1]:9203/behind/proxy",
    ]


def test_credentials_in_the_address_are_refused_and_not_repeated():
    with pytest.raises(InvalidRequest) as refusal:
        ElasticLocation.parse("https://me:hunter2@host:9200/pictures")
    assert "hunter2" not in str(refusal.value)
    assert "API key" in str(refusal.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://host:9200",
        "http://host:9200/",
        "http:///pictures",
        "ftp://host/pictures",
        "http://host:99999/pictures",
        "http://ho st/pictures",
        "http://host,/pictures",
        "http://host/Pictures",
        "http://host/_all",
        "http://host/a*",
        "http://host/pictures-v3",
        "http://host/pictures?x=1",
        "http://host/" + "x" * 201,
        "",
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(address: str):
    with pytest.raises(InvalidRequest, match=r"no (address|host|name)"):
        ElasticLocation.parse(address)


names = st.from_regex(r"[a-z0-9][a-z0-9._]{0,30}", fullmatch=True)
hosts = st.lists(st.tuples(names, st.integers(1, 65535)), min_size=1, max_size=3)


@given(st.sampled_from(["http", "https"]), hosts, names)
def test_an_address_reads_back_as_it_was_written(scheme: str, hosts: list[tuple[str, int]], name: str):
    text = f"{scheme}://{','.join(f'{host}:{port}' for host, port in hosts)}/{name}"
    location = ElasticLocation.parse(text)
    assert str(location) == text
    assert ElasticLocation.parse(str(location)) == location


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str):
    try:
        assert ElasticLocation.parse(text).name
    except InvalidRequest as refusal:
        assert str(refusal)
