"""Images inside archives, and archives made to do harm."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from facsimile.imaging.errors import FacsimileError
from facsimile.ingest import archives
from facsimile.ingest.archives import ArchiveLimits
from facsimile.ingest.fetch_limits import FetchLimits
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.loader import Loader
from facsimile.ingest.sources import items
from tests.support.pictures import synthetic

MEMBERS = {"b.jpg": synthetic(1), "deep/a.png": synthetic(2), "../../etc/x.jpg": synthetic(3)}
PASSED = {"notes.txt": b"words", "__MACOSX/b.jpg": b"shadow", ".hidden.jpg": b"hidden"}
MODES = {".tar": "w", ".cbt": "w", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


def make(path: Path, members: dict[str, bytes]) -> Path:
    if path.suffix in (".zip", ".cbz"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, data in members.items():
                zipped.writestr(name, data)
        return path
    mode = next(mode for suffix, mode in MODES.items() if path.name.endswith(suffix))
    with tarfile.open(path, mode) as tarred:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tarred.addfile(info, io.BytesIO(data))
    return path


def read(path: Path, **options: object) -> tuple[dict[str, bytes | None], list[str]]:
    found = list(items(str(path), **options))  # type: ignore[arg-type]
    good = {each.source: each.data for each in found if isinstance(each, Item)}
    return good, [each.reason for each in found if isinstance(each, Outcome)]


@pytest.mark.parametrize("suffix", [".zip", ".cbz", *MODES])
def test_members_come_with_their_bytes_and_nothing_is_unpacked(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path / f"pictures{suffix}", MEMBERS | PASSED)
    good, bad = read(path)
    assert good == {f"{path}!/{name}": data for name, data in MEMBERS.items()}
    assert bad == []
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_member_can_be_loaded_again_by_its_name(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path / f"pictures{suffix}", MEMBERS)
    with Loader() as loader:
        again, missing = loader.load([Item(f"{path}!/deep/a.png"), Item(f"{path}!/gone.jpg")])
    assert again == MEMBERS["deep/a.png"]
    assert isinstance(missing, FacsimileError)


@pytest.mark.parametrize("suffix", [".zip", *MODES])
def test_a_member_that_unpacks_to_too_much_fails_alone(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path / f"bomb{suffix}", {"bomb.jpg": bytes(30_000_000), "good.jpg": synthetic(1)})
    good, bad = read(path, max_bytes=1_000_000)
    assert list(good) == [f"{path}!/good.jpg"]
    assert bad == ["the member bomb.jpg has more than 1000000 bytes"]
    with Loader(FetchLimits(max_bytes=1_000_000)) as loader:
        (answer,) = loader.load([Item(f"{path}!/bomb.jpg")])
    assert isinstance(answer, FacsimileError)


def test_a_header_that_lies_about_a_size_is_not_believed(tmp_path: Path) -> None:
    path = make(tmp_path / "liar.zip", {"liar.jpg": bytes(5_000_000), "good.jpg": synthetic(1)})
    true, false = struct.pack("<L", 5_000_000), struct.pack("<L", 100)
    path.write_bytes(path.read_bytes().replace(true, false))
    good, bad = read(path, max_bytes=1_000_000)
    assert list(good) == [f"{path}!/good.jpg"]
    assert "liar.jpg" in bad[0]


def test_an_encrypted_member_fails_with_its_reason(tmp_path: Path) -> None:
    path = make(tmp_path / "locked.zip", {"locked.jpg": b"x" * 99})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the local header, and the one in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert read(path) == ({}, ["the member locked.jpg is encrypted"])


def test_methods_that_cannot_be_bounded_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as zipped:
        zipped.writestr("a.jpg", bytes(1000))
    assert "another method" in read(path)[1][0]


def test_a_tar_header_of_any_size_is_not_read_whole(tmp_path: Path) -> None:
    header = tarfile.TarInfo("long.jpg")
    header.type = tarfile.GNUTYPE_LONGNAME
    header.size = 1 << 33
    path = tmp_path / "huge-name.tar"
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_000))
    assert "no readable archive" in read(path)[1][0]


@pytest.mark.parametrize("suffix", [".zip", *MODES])
def test_a_damaged_archive_is_a_failure_and_no_crash(tmp_path: Path, suffix: str) -> None:
    whole = make(tmp_path / f"a{suffix}", MEMBERS).read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    text = tmp_path / f"text{suffix}"
    text.write_bytes(b"this is no archive" * 100)
    for path in (cut, text):
        assert any("no readable archive" in reason or "damaged" in reason for reason in read(path)[1])


def test_damage_between_members_is_not_taken_for_the_end(tmp_path: Path) -> None:
    path = make(tmp_path / "a.tar", MEMBERS)
    data = bytearray(path.read_bytes())
    second = data.index(b"deep/a.png")
    data[second : second + 512] = b"\xaa" * 512
    path.write_bytes(data)
    good, bad = read(path)
    assert list(good) == [f"{path}!/b.jpg"]
    assert "bad header" in bad[0]


def test_links_and_devices_in_a_tar_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as tarred:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("link.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            tarred.addfile(info)
        info = tarfile.TarInfo("good.jpg")
        info.size = 4
        tarred.addfile(info, io.BytesIO(b"good"))
    assert read(path)[0] == {f"{path}!/good.jpg": b"good"}


def overlapping(path: Path, copies: int, kernel: int) -> Path:
    """A zip whose directory names the same bytes many times."""
    make(path, {"a.jpg": bytes(kernel)})
    data = path.read_bytes()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[start:end]
    entries = [entry.replace(b"a.jpg", b"%05d.jpg" % number) for number in range(copies)]
    fixed = [each[:28] + struct.pack("<H", 9) + each[30:] for each in entries]
    size = sum(map(len, fixed))
    tail = data[end : end + 8] + struct.pack("<HHLLH", copies, copies, size, start, 0)
    path.write_bytes(data[:start] + b"".join(fixed) + tail)
    return path


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    path = overlapping(tmp_path / "bomb.zip", 3000, 20_000_000)
    assert path.stat().st_size < 200_000
    good, (reason,) = read(path)
    assert good == {}
    assert "members that overlap" in reason
    with Loader() as loader:
        (answer,) = loader.load([Item(f"{path}!/00007.jpg")])
    assert isinstance(answer, FacsimileError)
    assert "overlap" in str(answer)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_an_archive_that_unpacks_to_too_much_ends(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 1_000_000)
    path = make(tmp_path / f"a{suffix}", {f"{n}.jpg": bytes(1_000_000) for n in range(40)})
    good, (reason,) = read(path, archive_limits=ArchiveLimits(ratio=100))
    assert len(good) < 40
    assert reason == f"{path} unpacks to more than 100 times its own bytes"
    assert len(read(path, archive_limits=ArchiveLimits(ratio=1_000_000))[0]) == 40


def test_what_nobody_reads_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 1_000_000)
    path = make(tmp_path / "a.tar.bz2", {"notes.txt": bytes(50_000_000), "a.jpg": synthetic(1)})
    assert "unpacks to more than" in read(path)[1][0]


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_entries_and_time_are_bounded(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path / f"a{suffix}", {f"{n}.txt": b"" for n in range(50)} | MEMBERS)
    assert "more than 40 entries" in read(path, archive_limits=ArchiveLimits(entries=40))[1][0]
    assert "takes longer than" in read(path, archive_limits=ArchiveLimits(seconds=1e-9))[1][0]
    assert len(read(path, archive_limits=ArchiveLimits(entries=53))[0]) == len(MEMBERS)


def test_photographs_are_far_from_the_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 0)
    path = make(tmp_path / "a.tar.gz", {f"{n}.jpg": synthetic(n) for n in range(30)})
    assert len(read(path, archive_limits=ArchiveLimits(ratio=3))[0]) == 30


@pytest.mark.parametrize("suffix", MODES)
def test_hard_links_in_a_tar_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with tarfile.open(path, MODES[suffix]) as tarred:  # type: ignore[call-overload]
        for number in range(3):
            info = tarfile.TarInfo(f"./deep/{number}.jpg")
            info.size = len(synthetic(number))
            tarred.addfile(info, io.BytesIO(synthetic(number)))
        links = {"link.jpg": "deep/0.jpg", "again.jpg": "./deep/../deep/1.jpg", "x.jpg": "gone.jpg"}
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.LNKTYPE, target
            tarred.addfile(info)
        info = tarfile.TarInfo("last.jpg")
        info.size = len(synthetic(9))
        tarred.addfile(info, io.BytesIO(synthetic(9)))
    good, (bad,) = read(path)
    assert good[f"{path}!/link.jpg"] == synthetic(0)
    assert good[f"{path}!/again.jpg"] == synthetic(1)
    assert good[f"{path}!/last.jpg"] == synthetic(9)
    assert "x.jpg is a link to a file that is not before it" in bad
    with Loader() as loader:
        assert loader.load([Item(f"{path}!/link.jpg")]) == [synthetic(0)]


def test_headers_within_headers_are_a_failure_and_no_crash(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type = tarfile.XHDTYPE
    path = tmp_path / "chain.tar"
    path.write_bytes(header.tobuf(tarfile.USTAR_FORMAT) * 5000 + bytes(1024))
    good, bad = read(path)
    assert good == {}
    assert all("no readable archive" in reason for reason in bad)


def test_names_decide_what_is_an_archive() -> None:
    assert archives.is_archive("A.TAR.GZ")
    assert not archives.is_archive("a.gz")
