"""Encodings are told by the whole file; what cannot be told is refused."""

from __future__ import annotations

import random

import pytest

from poise.data.ingest.encodings import to_utf8
from poise.data.ingest.read import read_table
from poise.errors import DataError

WORDS = {
    "gbk": "深圳 华为 手机 白色 连衣裙 女装 夏季 新款 运动鞋 儿童 玩具 红茶 苹果 牛奶 联通 上海 北京",
    "big5": "臺灣 手機 白色 女裝 夏季 新款 運動鞋 兒童 玩具 紅茶 蘋果 牛奶 麵包 台北",
    "shift_jis": "東京の地図 コーヒー 紅茶 白いシャツ 運動靴 子供のおもちゃ りんご 牛乳 パン 北海道 ラーメン",
    "euc_jp": "東京の地図 コーヒー 紅茶 白いシャツ 運動靴 子供のおもちゃ りんご 牛乳 パン 北海道 ラーメン",
    "euc_kr": "서울 지도 커피 홍차 하얀 셔츠 운동화 어린이 장난감 사과 바나나 우유 김치 라면",
    "cp1251": "Кофе Чай Молоко Хлеб Белая рубашка Кроссовки Игрушка Яблоко Москва Книга Чехол зелёный",
    "koi8_r": "Кофе Чай Молоко Хлеб Белая рубашка Кроссовки Игрушка Яблоко Москва Книга Чехол",
    "cp866": "Кофе Чай Молоко Хлеб Белая рубашка Кроссовки Игрушка Яблоко Москва Книга Чехол",
    "cp1253": "Καφές Τσάι Γάλα Ψωμί Άσπρο Πουκάμισο Παπούτσια Παιχνίδι Μήλο Μπανάνα Αθήνα",
    "cp1255": "קפה תה חלב לחם חולצה לבנה נעליים צעצוע תפוח בננה",
    "cp1256": "قهوة شاي حليب خبز قميص أبيض حذاء لعبة تفاح موز",
    "cp874": "กาแฟ ชา นม ขนมปัง เสื้อขาว รองเท้า ของเล่น แอปเปิ้ล กล้วย",
    "cp1252": "Café Crème brûlée Thé Chaise Étagère Jalapeño Coffee – “House” Children’s Œuvres €",
    "cp1250": "Krzesło Stół Książka Łóżko Żółty Mleko Chleb Świeca Jabłko Pączek",
    "cp1254": "Çay Süt Ekmek gömlek Ayakkabı Çocuk oyuncağı Elma İstanbul Yeşil Şeker",
    "mac_roman": "Café Crème brûlée Thé Chaise Étagère Jalapeño",
    "cp850": "Stühle Tische Größe Käse Brötchen Müsli Apfel Straße Öl Äpfel",
    "utf-16-le": "Café 東京 Кофе",
    "utf-16-be": "Café 東京 Кофе",
}


def _table(words: str, rows: int) -> str:
    draw, several = random.Random(0), words.split()
    lines = [f"i{row},{draw.choice(several)} {draw.choice(several)},{several[row % 3]},{row}.50" for row in range(rows)]
    return "item_id,title,category,price\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("rows", [6, 60])
@pytest.mark.parametrize("encoding", WORDS)
def test_an_encoding_is_told_by_the_words_that_it_makes(encoding, rows):
    text = _table(WORDS[encoding], rows)
    assert to_utf8(text.encode(encoding), "items.csv").content.decode() == text


def test_one_accent_is_enough_for_windows_1252():
    assert "Café" in to_utf8(b"item_id,title\ni1,Chair\ni2,Caf\xe9\ni3,Lamp\n", "items.csv").content.decode()


def test_what_cannot_be_told_is_refused_by_name_and_read_when_it_is_said(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes(b"item_id,title\ni1,\x9d\x81\xff\xfe\n")
    with pytest.raises(DataError, match=r"items\.csv is not UTF-8, and which encoding .* encoding = "):
        read_table(path)
    assert read_table(path, encoding="koi8-r").height == 1
    with pytest.raises(DataError, match="'klingon' is no encoding"):
        read_table(path, encoding="klingon")


def test_one_bad_byte_costs_one_cell_of_a_utf_8_file(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes("item_id,title\ni1,東京\ni2,Crème\n".encode() + b"i3,Caf\xe9 noir\n")
    notes: list[str] = []
    table = read_table(path, notes=notes)
    assert table["title"].to_list() == ["東京", "Crème", "Caf� noir"]
    assert table["_spoilt"].to_list() == [None, None, ["title"]]
    assert notes == []


def test_the_encoding_is_noted(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes("item_id,title\ni1,Кофе\ni2,Молоко\n".encode("cp1251"))
    notes: list[str] = []
    read_table(path, notes=notes)
    assert notes == ["items.csv is read as Windows-1251"]


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "cp866", "iso8859-5"])
def test_a_log_of_few_cyrillic_words_in_small_letters(encoding):
    rows = [f"u{row % 7},{('яблоко', 'хлеб', 'молоко')[row % 3]},просмотр" for row in range(60)]
    text = "\n".join(["пользователь,товар,событие", *rows])
    assert to_utf8(text.encode(encoding), "log.csv").content.decode() == text
