"""Ten sets of files, each as another shop, site or school would export it; small, made up, and always the same."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

_START = datetime(2023, 3, 4, 9, 30, tzinfo=UTC)


def _write(path: Path, header: Sequence[str] | None, rows: Iterable[Sequence[Any]], separator: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator)
        if header is not None:
            writer.writerow(header)
        writer.writerows(rows)


def _visits(seed: int, users: int, items: int, *, each: int = 7) -> list[tuple[int, int, datetime]]:
    """Return who chose what and when: people of two tastes, each with another half of the items, in order of time."""
    rng = random.Random(seed)
    visits = []
    for user in range(users):
        taste = range(user % 2, items, 2)
        for place, item in enumerate(rng.sample(taste, min(each, len(taste)) - rng.randint(0, 2))):
            visits.append((user, item, _START + timedelta(days=place * 9 + user % 8, minutes=rng.randint(0, 500))))
    return sorted(visits, key=lambda visit: visit[2])


def warenhaus(folder: Path) -> None:
    """A German shop: everything in one table, days first, commas in prices, negative quantities for returns."""
    rows: list[Sequence[Any]] = []
    for place, (user, item, time) in enumerate(_visits(1, 40, 24)):
        order, name, price = f"{70000 + place}", f"Holzregal Modell {item}", f"{19 + item},90"
        group = "Möbel" if item % 2 else "Lampen"
        row = [order, f"K{user:04}", f"A-{item:03}", name, group, 1 + item % 3, price, f"{time:%d.%m.%Y}"]
        rows.append(row)
        if place % 25 == 7:
            back = time + timedelta(days=5)
            rows.append([f"S{order}", *row[1:5], -row[5], price, f"{back:%d.%m.%Y}"])
    header = "Bestellnummer,Kundennummer,Artikelnummer,Artikelbezeichnung,Warengruppe,Menge,Einzelpreis,Bestelldatum"
    _write(folder / "bestellungen.csv", header.split(","), rows, ";")


def supermarket(folder: Path) -> None:
    """A supermarket: items are words, and the same people buy the same things again and again."""
    goods = [
        "whole milk",
        "other vegetables",
        "rolls and buns",
        "soda",
        "yogurt",
        "root vegetables",
        "tropical fruit",
        "bottled water",
        "sausage",
        "citrus fruit",
        "pastry",
        "pip fruit",
        "shopping bags",
        "canned beer",
        "bottled beer",
        "whipped cream",
        "newspapers",
        "frankfurter",
    ]
    rng = random.Random(2)
    rows = []
    for user in range(40):
        usual = rng.sample(goods[user % 2 :: 2], 3)
        for week in range(5):
            day = _START + timedelta(days=7 * week + user % 6)
            rows += [(1000 + user, f"{day:%d-%m-%Y}", good) for good in rng.sample(usual, 2)]
    _write(folder / "Groceries_dataset.csv", ["Member_number", "Date", "itemDescription"], rows)


def tourism(folder: Path) -> None:
    """Sights in Indonesia: ratings without a clock, a catalogue in Indonesian with coordinates, and visitors."""
    rng = random.Random(3)
    ratings = [(user + 1, item + 1, rng.choice([2, 3, 4, 5, 5])) for user, item, _ in _visits(3, 40, 24)]
    rng.shuffle(ratings)
    _write(folder / "tourism_rating.csv", ["User_Id", "Place_Id", "Place_Ratings"], ratings)
    sights = ["Taman Kota", "Pantai Indah", "Museum Wayang", "Gunung Bunder"]
    about = "Tempat wisata ini sangat cocok untuk keluarga yang ingin berlibur dan menikmati pemandangan alam"
    places = []
    for k in range(1, 25):
        told = [k, f"{sights[k % 4]} {k}", f"{about} di kota.", ["Budaya", "Bahari"][k % 2], "Jakarta", 5000 * k]
        where = [f"{{'lat': -6.{k:03}, 'lng': 106.{k:03}}}", -6 - k / 1000, 106 + k / 1000]
        places.append([*told, round(4 + k / 40, 1), 30 + k, *where])
    columns = "Place_Id,Place_Name,Description,Category,City,Price,Rating,Time_Minutes,Coordinate,Lat,Long"
    _write(folder / "tourism_with_id.csv", columns.split(","), places)
    visitors = [(k, "Semarang, Jawa Tengah" if k % 2 else "Bekasi, Jawa Barat", 18 + k) for k in range(1, 41)]
    _write(folder / "user.csv", ["User_Id", "Location", "Age"], visitors)


def music(folder: Path) -> None:
    """A music site: how often each person played each artist, without a clock, in tables with tabs."""
    rng = random.Random(4)
    plays = [(user + 2, item + 50, rng.randint(1, 4000)) for user, item, _ in _visits(4, 40, 24)]
    _write(folder / "user_artists.dat", ["userID", "artistID", "weight"], plays, "\t")
    names = ["Blue Harbour", "The Late Trains", "Paper Moon", "Glass Animals Club"]
    artists = [(k, f"{names[k % 4]} {k}", f"http://music.example/{k}", "") for k in range(50, 74)]
    _write(folder / "artists.dat", ["id", "name", "url", "pictureURL"], artists, "\t")


def school(folder: Path) -> None:
    """A school with eight courses: addresses of e-mail and names of courses are all there is."""
    courses = ["Algebra", "Biology", "Chemistry", "Drawing", "English", "French", "Geography", "History"]
    rows = [
        (f"pupil{user}@school.example", courses[item], f"{time:%Y-%m-%d}")
        for user, item, time in _visits(5, 60, 8, each=4)
    ]
    _write(folder / "enrolments.csv", ["email", "course_name", "enrolled_at"], rows)


def clicks(folder: Path) -> None:
    """A news site: what was shown and whether it was clicked, as 0 and 1, in JSON lines with milliseconds."""
    rng = random.Random(6)
    rows = []
    for user, item, time in _visits(6, 40, 24):
        moment = int(time.timestamp() * 1000)
        rows.append({"visitorId": f"v{user}", "articleId": f"n{item}", "clicked": 1, "ts": moment})
        rows.append({"visitorId": f"v{user}", "articleId": f"n{rng.randrange(24)}", "clicked": 0, "ts": moment - 5000})
    lines = (json.dumps(row) for row in rows)
    (folder / "impressions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    news = [
        {"articleId": f"n{k}", "headline": f"The council decides on plan {k}", "section": ["city", "sport"][k % 2]}
        for k in range(24)
    ]
    (folder / "articles.jsonl").write_text("\n".join(map(json.dumps, news)) + "\n", encoding="utf-8")


def shangcheng(folder: Path) -> None:
    """A Chinese shop: behaviours in Chinese, seconds since 1970, a catalogue with prices."""
    kinds = ["浏览", "浏览", "加购", "购买"]
    rows = [
        (f"U{user}", f"P{item}", kinds[(user + item) % 4], int(time.timestamp()))
        for user, item, time in _visits(7, 40, 24)
    ]
    _write(folder / "日志.csv", ["用户ID", "物品ID", "行为类型", "时间戳"], rows)
    goods = [(f"P{k}", f"轻便折叠雨伞第{k}款", ["家居", "户外"][k % 2], 20 + k) for k in range(24)]
    _write(folder / "商品.csv", ["物品ID", "商品名称", "类目", "价格"], goods)


def superstore(folder: Path) -> None:
    """An American office shop: orders with month first, customers and products in each line."""
    rows = []
    for place, (user, item, time) in enumerate(_visits(8, 40, 24)):
        customer = [f"CG-{user:05}", f"Customer {user}", ["Consumer", "Corporate"][user // 2 % 2]]
        product = [f"FUR-{item:04}", ["Furniture", "Office"][item % 2], f"Bush Bookcase No {item}"]
        sold = [round(20.5 + item + place % 3, 2), 1 + place % 4]
        rows.append([place + 1, f"CA-{place // 2}", f"{time:%m/%d/%Y}", *customer, *product, *sold])
    header = (
        "Row ID,Order ID,Order Date,Customer ID,Customer Name,Segment,Product ID,Category,Product Name,Sales,Quantity"
    )
    _write(folder / "orders.csv", header.split(","), rows)


def games(folder: Path) -> None:
    """A shop of games: no header, titles for ids, and hours that were played."""
    names = ["The Elder Scrolls", "Space Farmers", "Dungeon Chess", "Rally Night", "Castle Story", "Deep Sea"]
    rng = random.Random(9)
    rows: list[Sequence[Any]] = []
    for user, item, _ in _visits(9, 40, 24):
        title = f"{names[item % 6]} {'I' * (item // 6 + 1)}"
        rows.append((151603700 + user, title, "purchase", 1.0, 0))
        rows.append((151603700 + user, title, "play", round(rng.uniform(0.1, 300), 1), 0))
    _write(folder / "steam-200k.csv", None, rows)


def bibliotheque(folder: Path) -> None:
    """A French library: loans and returns with times of day, and a catalogue with accents."""
    rows = []
    for user, item, time in _visits(10, 40, 24):
        rows.append((f"L{user}", f"B{item}", "emprunt", f"{time:%Y-%m-%d %H:%M}"))
    _write(folder / "prets.csv", ["lecteur", "livre", "action", "date_emprunt"], rows, ";")
    books = [(f"B{k}", f"Le secret de l'été, tome {k}", f"Auteur {k % 5}", "roman") for k in range(24)]
    _write(folder / "livres.csv", ["livre", "titre", "auteur", "genre"], books, ";")


SHOPS: dict[str, Callable[[Path], None]] = {
    made.__name__: made
    for made in (
        *(warenhaus, supermarket, tourism, music, school),
        *(clicks, shangcheng, superstore, games, bibliotheque),
    )
}
"""By name, what writes the files of a set into a folder."""


@pytest.fixture
def own_files(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes the files of a set, by its name, and returns their folder."""

    def write(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        SHOPS[name](folder)
        return folder

    return write
