"""One bad record costs one record; columns without a name, control signs and line ends of all kinds."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import poise
from poise.data.ingest.read import read_table
from poise.errors import DataError, PoiseError

HEADER = "item_id,title,description\n"
ROWS = "".join(f'p{k},Chair {k},"A chair of\noak,beech,ash\nand steel"\n' for k in range(30))


def _read(tmp_path, content, name="items.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    notes: list[str] = []
    return read_table(path, notes=notes), notes


@pytest.mark.parametrize(
    "bad",
    [
        "p99,Stool,small, round, blue\n",
        'p99,"Stool,small\n',
        'p99,"He said "good", then left",x\n',
        'p99,Stool,"one\ntwo",three,four\n',
        'p99,Stool,"small\n',
    ],
)
@pytest.mark.parametrize("place", [0, 15, 30])
def test_one_bad_record_costs_one_record(tmp_path, bad, place):
    records = ROWS.split("\np")
    records = [records[0], *(f"p{record}" for record in records[1:])]
    content = HEADER + "\n".join(records[:place]) + ("\n" if place else "") + bad + "\n".join(records[place:])
    table, _ = _read(tmp_path, content)
    good = table.filter(pl.col("item_id").is_not_null() & (pl.col("item_id") != "p99"))
    assert good["item_id"].to_list() == [f"p{k}" for k in range(30)]
    assert set(good["description"].str.strip_chars()) == {"A chair of\noak,beech,ash\nand steel"}
    assert table.height - good.height <= 2  # it is refused, or read with good will


@pytest.mark.parametrize(
    "content",
    [
        ",item_id,title\n0,a,A\n1,b,B\n",
        "item_id,title,\na,A,\nb,B,\n",
        "item_id,title,,\na,A,,\nb,B,,\n",
        ",item_id,,title\n0,a,,A\n1,b,,B\n",
        "Unnamed: 0,item_id,title\n0,a,A\n1,b,B\n",
        "item_id,title\na,A,\nb,B,\n",
        '"item_id" "title"\n"1" "a" "A"\n"2" "b" "B"\n',
        " item_id , title\na,A\nb,B\n",
    ],
)
def test_columns_without_a_name_are_left_out(tmp_path, content):
    table, notes = _read(tmp_path, content)
    assert table.drop("_unreadable", strict=False).rows(named=True) == [
        {"item_id": "a", "title": "A"},
        {"item_id": "b", "title": "B"},
    ]
    assert len(notes) <= 1


@pytest.mark.parametrize("table", ["events", "items", "users"])
@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index", "__index_level_0__"])
def test_an_index_is_left_out_of_any_table_with_a_word(table, name):
    frames = {
        "events": pl.DataFrame({"user_id": ["u", "v"], "item_id": ["a", "b"]}),
        "items": pl.DataFrame({"item_id": ["a", "b"], "title": ["A", "B"]}),
        "users": pl.DataFrame({"user_id": ["u", "v"], "age": [30, 40]}),
    }
    frames[table] = frames[table].insert_column(0, pl.Series(name, [0, 1]))
    data = poise.build_dataset(**frames)
    assert (data.items.columns, data.users.columns, data.events.context.columns) == (["title"], ["age"], [])
    assert len(data.quarantine.notes) == 1
    assert "left out" in data.quarantine.notes[0]


@pytest.mark.parametrize("sign", ["\x02", "\x1f", "\x00", "\x1a", "\x7f"])
def test_stray_control_signs_are_left_out(tmp_path, sign):
    table, notes = _read(tmp_path, HEADER + f"p1,Cha{sign}ir,x\n" + "p2,Table,y\n" * 30)
    assert table["title"][0] == "Chair"
    assert notes == ["1 control signs were left out of items.csv"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_line_ends_of_all_systems(tmp_path, end):
    table, _ = _read(tmp_path, f"item_id,title{end}a,A{end}b,B{end}")
    assert table.rows() == [("a", "A"), ("b", "B")]


def test_hive_files_are_parted_by_the_sign_1(tmp_path):
    assert _read(tmp_path, "user_id\x01item_id\na\x01x\nb\x01y\n")[0].rows() == [("a", "x"), ("b", "y")]


def test_errors_stay_short_however_large_the_file(tmp_path):
    wide = ",".join(f"column number {k}" for k in range(50_000)) + "\n"
    for content in (wide, wide + ",".join("1" * 50_000) + "\n", "x" * 3_000_000, '{"a": 1}\n' + "y" * 1_000_000):
        path = tmp_path / "events.csv"
        path.write_text(content)
        with pytest.raises(PoiseError) as caught:
            poise.load_files(path)
        assert len(str(caught.value)) < 1_000


def test_two_columns_of_one_name(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,item_id\na,x,y\n")
    with pytest.raises(DataError, match="two columns of the name 'item_id'"):
        poise.load_files(path)
    path.write_text("user_id,item_id,item_id,page,page\na,x,x,1,2\n")
    assert poise.load_files(path).item_ids.series.to_list() == ["x"]
    table = pa.table([pa.array(["a"]), pa.array(["x"]), pa.array(["y"])], names=["user_id", "item_id", "item_id"])
    pq.write_table(table, tmp_path / "events.parquet")
    with pytest.raises(DataError, match="two columns of the name 'item_id'"):
        poise.load_files(tmp_path / "events.parquet")


@pytest.mark.parametrize("word", ["", "NaN", "NULL", "NA", "None", "\\N", "nan", " "])
def test_a_missing_value_is_a_missing_value_in_every_spelling(tmp_path, word):
    path = tmp_path / "events.csv"
    rows = "".join(f"u{k % 4},i{k % 5},{word if k % 3 else 4},{1790000000 + k}\n" for k in range(12))
    path.write_text("user_id,item_id,rating,timestamp\n" + rows)
    data = poise.load_files(path)
    assert (data.n_events, len(data.quarantine)) == (12, 0)
    path.write_text("user_id,item_id,timestamp\n" + "".join(f"u{k},i{k},{word}\n" for k in range(4)))
    assert not poise.load_files(path).events.has_time
