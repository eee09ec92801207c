import hashlib
import shutil
import sqlite3
import subprocess
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import polars as pl
import pytest

from poise.datasets import movie_metadata, movielens, registry
from poise.datasets.fetch import Archive, Fetcher, FetchError, Wheel
from poise.errors import UsageError
from poise.files import cache_folder

INTER = (
    "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    "1\t12\t5\t881250949\n2\t12\t3\t881250950\n1\t7\t4\t881250951\n"
)
ITEM = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "12\tUsual Suspects, The\t1995\tCrime Thriller\n7\tunkonwn\tunkonwn\tunknown\n"
)
USER = (
    "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
    "1\t24\tM\ttechnician\t85711\n2\t53\tF\tother\t94043\n"
)


class FakeFetcher(Fetcher):
    """Gives small files; what is to fail is named."""

    def __init__(self, failing=()):
        self.failing = failing
        self.requested = []

    def archive(self, source, folder):
        self.requested.append(source.url)
        raise FetchError("no connection")

    def wheel(self, source, folder):
        self.requested.append(source.requirement)
        if source.requirement in self.failing:
            raise FetchError("no registry")
        if source.requirement.startswith("recbole"):
            for suffix, content in (("inter", INTER), ("item", ITEM), ("user", USER)):
                (folder / f"ml-100k.{suffix}").write_text(content)
        else:
            _films(folder / "movies.db")


def _films(path):
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE omdb (ID, Title, Year, Director, Writer, 'Cast', Country, Language, Runtime, imdbVotes)"
        )
        connection.executemany(
            "INSERT INTO omdb VALUES (?, ?, ?, ?, 'W', 'A, B', 'US', 'English', 106, ?)",
            [
                (1, "The Usual Suspects", 1996, "Wrong", 9),
                (2, "The Usual Suspects", 1995, "Bryan Singer", 5),
                (3, "The Usual Suspects", 1995, "Fewer Votes", 4),
                (4, "Amélie & Co.", 2001, "J, K", None),
                (5, "City", 1990, "Far", None),
            ],
        )
    connection.close()


ENTRY = next(entry for entry in registry.entries() if entry.name == "movielens-100k")


def test_the_wheel_is_used_when_the_download_fails_and_is_cached(tmp_path, capsys):
    fetcher = FakeFetcher()
    data = registry.load_entry(ENTRY, folder=tmp_path, fetcher=fetcher)
    assert fetcher.requested == [ENTRY.archive.url, "recbole==1.2.1", "bokeh-sampledata==2026.1"]
    assert data.titles == ["", "The Usual Suspects (1995)", "unknown"]
    assert data.items.row(0, named=True) == {
        "title": "The Usual Suspects (1995)",
        "year": 1995.0,
        "genres": ["Crime", "Thriller"],
        "director": ["Bryan Singer"],
        "writer": ["W"],
        "cast": ["A", "B"],
        "country": ["US"],
        "language": ["English"],
        "runtime": 106.0,
    }
    assert data.users["age"].to_list() == [24.0, 53.0]
    assert data.behaviour_ids.series.to_list() == ["rate"]
    message = capsys.readouterr().err
    assert "metadata of 1 of 2 films" in message
    assert "Licence: MovieLens" in message
    again = registry.load_entry(ENTRY, folder=tmp_path, fetcher=FakeFetcher(failing=("recbole==1.2.1",)))
    assert again.fingerprint == data.fingerprint


def test_a_failed_download_leaves_nothing(tmp_path):
    with pytest.raises(FetchError, match=r"movielens-100k cannot be had: no connection; no registry"):
        registry.load_entry(ENTRY, folder=tmp_path, fetcher=FakeFetcher(failing=("recbole==1.2.1",)))
    assert list((tmp_path / "datasets").iterdir()) == []


def test_without_metadata_a_data_set_is_loaded_and_not_cached(tmp_path, capsys):
    data = registry.load_entry(ENTRY, folder=tmp_path, fetcher=FakeFetcher(failing=("bokeh-sampledata==2026.1",)))
    assert data.items.columns == ["title", "year", "genres"]
    assert "no metadata of films (no registry)" in capsys.readouterr().err
    assert list((tmp_path / "datasets").iterdir()) == []


def test_a_damaged_cache_is_rebuilt(tmp_path, capsys):
    data = registry.load_entry(ENTRY, folder=tmp_path, fetcher=FakeFetcher())
    next((tmp_path / "datasets").glob("*/item.npy")).write_bytes(b"")
    again = registry.load_entry(ENTRY, folder=tmp_path, fetcher=FakeFetcher())
    assert again.fingerprint == data.fingerprint
    assert "fetched anew" in capsys.readouterr().err


def test_names_of_data_sets_and_the_cache_folder(monkeypatch, tmp_path):
    assert [entry.name for entry in registry.entries()] == ["movielens-100k", "movielens-1m"]
    with pytest.raises(UsageError, match="Did you mean 'movielens-1m'"):
        registry.load("movielens1m")
    monkeypatch.setenv("POISE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Matrix, The (1999)", "The Matrix (1999)"),
        ("American in Paris, An (1951)", "An American in Paris (1951)"),
        ("Avventura, L' (1960)", "L'Avventura (1960)"),
        (
            "Horseman on the Roof, The (Hussard sur le toit, Le) (1995)",
            "The Horseman on the Roof (Le Hussard sur le toit) (1995)",
        ),
        ("Good, The Bad and The Ugly, The (1966)", "The Good, The Bad and The Ugly (1966)"),
        ("Me, Myself and I (1992)", "Me, Myself and I (1992)"),
        ("Theodora, Then", "Theodora, Then"),
    ],
)
def test_titles_in_natural_order(written, spoken):
    assert movielens.natural_title(written) == spoken


def test_metadata_is_found_by_any_title_of_a_film(tmp_path):
    _films(tmp_path / "movies.db")
    items = pl.DataFrame(
        {"title": ["Big Fish (Amelie and Co) (2002)", "City (1995)", "unknown"], "year": [2002.0, 1995.0, None]}
    )
    actual = movie_metadata.add_metadata(items, tmp_path / "movies.db")
    assert actual["director"].to_list() == [["J", "K"], None, None]
    assert movie_metadata.coverage(actual) == (1, 3)


def test_both_sources_of_movielens_100k_agree(tmp_path):
    folder = tmp_path / "ml-100k"
    folder.mkdir()
    (folder / "u.data").write_text("1\t12\t5\t881250949\n2\t12\t3\t881250950\n1\t7\t4\t881250951\n")
    flags = "|".join("1" if index in (6, 16) else "0" for index in range(19))
    unknown = "|".join("1" if index == 0 else "0" for index in range(19))
    (folder / "u.item").write_text(
        f"12|Usual Suspects, The (1995)|14-Aug-1995||http://x|{flags}\n7|unknown||||{unknown}\n", encoding="latin-1"
    )
    (folder / "u.user").write_text("1|24|M|technician|85711\n2|53|F|other|94043\n")
    FakeFetcher().wheel(ENTRY.wheel, tmp_path)
    for official, copy in zip(movielens.archive_100k(tmp_path), movielens.wheel_100k(tmp_path), strict=True):
        assert official.equals(copy)


def test_both_sources_of_movielens_1m_agree(tmp_path):
    folder = tmp_path / "ml-1m"
    folder.mkdir()
    (folder / "ratings.dat").write_text("1::73::5::978300760\n2::73::3::978300761\n")
    (folder / "movies.dat").write_text("73::Misérables, Les (1995)::Drama|Musical\n", encoding="latin-1")
    (folder / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    (tmp_path / "ml-1m.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        "1m_1\tMisérables, Les (1995)\t5\t978300760\n1m_2\tMisérables, Les (1995)\t3\t978300761\n"
    )
    (tmp_path / "ml-1m.item").write_text(
        "item_id:token\tmovie_title:token\trelease_year:float\tgenre:token\n"
        "Misérables, Les (1995)\tMisérables, Les\t1995\tDrama Musical\n"
    )
    (tmp_path / "ml-1m.user").write_text(
        "user_id:token\tage:float\tgender:token\toccupation:float\tzip_code:token\n"
        "1m_1\t1\tF\t10\t48067\n1m_2\t56\tM\t16\t70072\n"
    )
    official, copy = movielens.archive_1m(tmp_path), movielens.wheel_1m(tmp_path)
    assert all(frame.equals(other) for frame, other in zip(official, copy, strict=True))
    assert official.items["title"].to_list() == ["Les Misérables (1995)"]
    assert official.users.row(0) == ("1", "under 18", "F", "school student", "48067")


def test_archives_are_checked_and_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "served.zip", "w") as archive:
        archive.writestr("inside/a.txt", "hello")
    sha256 = hashlib.sha256((tmp_path / "served.zip").read_bytes()).hexdigest()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/served.zip"
    target = tmp_path / "target"
    target.mkdir()
    try:
        with pytest.raises(FetchError, match="not the expected file"):
            Fetcher().archive(Archive(url, "0" * 64), target)
        with pytest.raises(FetchError, match="cannot be reached"):
            Fetcher().archive(Archive(url + "x", sha256), target)
        assert list(target.iterdir()) == []
        Fetcher().archive(Archive(url, sha256), target)
    finally:
        server.shutdown()
        server.server_close()
    assert (target / "inside" / "a.txt").read_text() == "hello"
    assert [file.name for file in target.iterdir()] == ["inside"]


def test_wheels_are_checked_and_their_files_taken(tmp_path, monkeypatch):
    content = b"inside"
    with zipfile.ZipFile(tmp_path / "thing-1-py3-none-any.whl", "w") as archive:
        archive.writestr("thing/data/a.txt", content)

    def run(command, **_):
        shutil.copy(tmp_path / "thing-1-py3-none-any.whl", command[command.index("--dest") + 1])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    target = tmp_path / "target"
    target.mkdir()
    Fetcher().wheel(Wheel("thing==1", {"thing/data/a.txt": hashlib.sha256(content).hexdigest()}), target)
    assert [file.name for file in target.iterdir()] == ["a.txt"]
    with pytest.raises(FetchError, match=r"a\.txt in thing==1 is not the expected file"):
        Fetcher().wheel(Wheel("thing==1", {"thing/data/a.txt": "0" * 64}), target)
    with pytest.raises(FetchError, match="does not carry thing/b"):
        Fetcher().wheel(Wheel("thing==1", {"thing/b": "0" * 64}), target)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("/usr/bin/python: No module named pip", "this environment has none; run .* -m ensurepip"),
        ("WARNING: x\nERROR: No matching distribution found for thing==1", "ERROR: No matching distribution found"),
    ],
)
def test_a_failing_pip_is_a_one_line_error(tmp_path, monkeypatch, message, expected):
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", message))
    with pytest.raises(FetchError, match=expected):
        Fetcher().wheel(Wheel("thing==1", {}), tmp_path)


def test_movielens_100k_from_the_registry(tmp_path):
    """The one test that needs a package registry: the copies that Poise relies on are there and are what they were."""

    class RegistryOnly(Fetcher):
        def archive(self, source, folder):
            raise FetchError("not asked in tests")

    data = registry.load_entry(ENTRY, folder=tmp_path, fetcher=RegistryOnly())
    assert (data.n_events, data.n_users, data.n_items) == (100_000, 943, 1_682)
    assert len(data.quarantine) == 0
    assert movie_metadata.coverage(data.items)[0] > 1_300
    assert data.titles[12] == "The Usual Suspects (1995)"
