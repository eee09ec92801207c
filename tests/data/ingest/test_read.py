import gzip
import json

import polars as pl
import pytest

from poise.data.ingest.delimited import UNREADABLE
from poise.data.ingest.read import read_table
from poise.errors import DataError

ROWS = [{"user": "007", "item": "1e5", "rating": "4"}, {"user": "8", "item": "b, c", "rating": "5"}]


def _write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'user,item,rating\n007,1e5,4\n8,"b, c",5\n'),
        ("a.csv", "user;item;rating\r\n007;1e5;4\r\n8;b, c;5\r\n"),
        ("a.csv", "user\titem\trating\n007\t1e5\t4\n8\tb, c\t5\n"),
        ("a.tsv", "user\titem\trating\n007\t1e5\t4\n8\tb, c\t5\n"),
        ("a.txt", "user|item|rating\n007|1e5|4\n8|b, c|5\n"),
        ("a.csv", "\ufeffuser;item;rating\n007;1e5;4\n8;b, c;5\n"),
        ("a.csv", "user\titem\trating\n007\t1e5\t4\n8\tb, c\t5\n".encode("utf-16")),
        ("a.csv.gz", gzip.compress(b'user,item,rating\n007,1e5,4\n8,"b, c",5\n', mtime=0)),
        ("a.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("a.json", json.dumps(ROWS)),
        ("a.json", "\n".join(map(json.dumps, ROWS))),
        ("a.json.gz", gzip.compress(json.dumps(ROWS).encode(), mtime=0)),
        ("a.inter", "user:token\titem:token\trating:float\n007\t1e5\t4\n8\tb, c\t5\n"),
    ],
)
def test_text_formats_are_detected(tmp_path, name, content):
    assert read_table(_write(tmp_path / name, content)).rows(named=True) == ROWS


def test_binary_formats_are_detected_by_content(tmp_path):
    frame = pl.DataFrame(ROWS)
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_parquet(tmp_path / "b.csv")
    frame.write_ipc(tmp_path / "c.feather")
    frame.write_ipc_stream(tmp_path / "d.arrow")
    for file in tmp_path.iterdir():
        assert read_table(file).equals(frame), file


def test_recbole_sequences_become_lists(tmp_path):
    table = read_table(_write(tmp_path / "x.item", "item_id:token\twords:token_seq\tplace:float_seq\n1\ta b\t0.5 1\n"))
    assert table.rows() == [("1", ["a", "b"], [0.5, 1.0])]


def test_movielens_files_are_latin_1_and_have_no_header(tmp_path):
    table = read_table(_write(tmp_path / "movies.dat", "1::Misérables, Les (1995)::Drama|Musical\n".encode("latin-1")))
    assert table.rows(named=True) == [{"item_id": "1", "title": "Misérables, Les (1995)", "genres": "Drama|Musical"}]
    other = _write(tmp_path / "log.dat", "1::2::5::978300760\n")
    with pytest.raises(DataError, match=r"4 fields .* names="):
        read_table(other)
    assert read_table(other, names=["u", "i", "r", "t"]).rows() == [("1", "2", "5", "978300760")]
    with pytest.raises(DataError, match="4 columns, but 2 names"):
        read_table(other, names=["u", "i"])


def test_columns_separated_by_blanks(tmp_path):
    assert read_table(_write(tmp_path / "a.txt", "user item\n007 x\n8 y\n")).rows() == [("007", "x"), ("8", "y")]


def test_files_with_one_sequence_per_line(tmp_path):
    table = read_table(_write(tmp_path / "s.txt", "1 10 11 12\n2 10 13\n"))
    assert table.rows() == [("1", "10"), ("1", "11"), ("1", "12"), ("2", "10"), ("2", "13")]


def test_folders_and_patterns_are_read_in_name_order(tmp_path):
    _write(tmp_path / "part-2.csv", "user,item\nc,3\n")
    _write(tmp_path / "part-1.csv", "item,user,extra\n1,a,x\n")
    _write(tmp_path / "_SUCCESS", "")
    expected = [("1", "a", "x"), ("3", "c", None)]
    assert read_table(tmp_path).rows() == expected
    assert read_table(tmp_path / "part-*.csv").rows() == expected


def test_broken_lines_are_kept_beside_the_good_ones(tmp_path):
    table = read_table(_write(tmp_path / "a.csv", 'user,item\na,1\nb,2,3\n"c, d",4\ne,5\n'))
    assert table["user"].to_list() == ["a", None, "c, d", "e"]
    assert table[UNREADABLE].to_list() == [None, "b,2,3", None, None]
    table = read_table(
        _write(tmp_path / "a.jsonl", '{"user": 1, "item": "x"}\n{"user": 2, "it\n{"user": "z", "item": "y"}\n')
    )
    assert table["user"].to_list() == ["1", None, "z"]
    assert table[UNREADABLE].to_list() == [None, '{"user": 2, "it', None]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", " \n\n", "is empty"),
        ("a.csv", "user,item\n", "no rows, only the header user, item"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "a PNG image"),
        ("a.csv", b"user,item\n\x00\x01\x02", "binary"),
        ("a.xlsx", b"PK\x03\x04rest", "spreadsheet"),
        ("a.parquet", b"user,item\n1,2\n", "not Parquet, though its name says so"),
        ("a.parquet", b"PAR1 but no more", "damaged or cut short"),
        ("a.feather", b"ARROW1 but no more", "damaged or cut short"),
        ("a.csv.gz", gzip.compress(b"user,item\n1,2\n" * 1000, mtime=0)[:-30], "gzip compression is damaged"),
        ("a.json", b'[{"user": 1}, {"us', "not valid JSON"),
        ("a.json", b"[]", "list is empty"),
        ("a.json", b"[1, 2]", "not of objects"),
        ("a.json", b'{\n"events": [\n1\n]}', "one JSON object"),
        ("a.jsonl", b"user,item\n1,2\n", "not JSON, though its name says so"),
    ],
)
def test_a_file_that_is_no_table_is_a_one_line_error(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read_table(_write(tmp_path / name, content))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files(tmp_path):
    _write(tmp_path / "ratings.csv", "user,item\n1,2\n")
    with pytest.raises(DataError, match=r"does not exist. Did you mean 'ratings.csv'\?"):
        read_table(tmp_path / "rating.csv")
    with pytest.raises(DataError, match="no file fits the pattern"):
        read_table(tmp_path / "*.parquet")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="holds no files"):
        read_table(tmp_path / "nothing")
