"""``poise init`` on files of ten kinds takes every column for what it is, without an option."""

import json

import pytest

ROLES = {
    "warenhaus": (
        {
            "user_id": "Kundennummer",
            "item_id": "Artikelnummer",
            "value": "Menge",
            "timestamp": "Bestelldatum",
        },
        ["Artikelbezeichnung", "Warengruppe", "Einzelpreis"],
        [],
    ),
    "supermarket": ({"user_id": "Member_number", "item_id": "itemDescription", "timestamp": "Date"}, [], []),
    "tourism": ({"user_id": "User_Id", "item_id": "Place_Id", "value": "Place_Ratings"}, [], []),
    "music": ({"user_id": "userID", "item_id": "artistID", "value": "weight"}, [], []),
    "school": ({"user_id": "email", "item_id": "course_name", "timestamp": "enrolled_at"}, [], []),
    "clicks": ({"user_id": "visitorId", "item_id": "articleId", "value": "clicked", "timestamp": "ts"}, [], []),
    "shangcheng": (
        {"user_id": "用户ID", "item_id": "物品ID", "behaviour": "行为类型", "timestamp": "时间戳"},
        [],
        [],
    ),
    "superstore": (
        {"user_id": "Customer ID", "item_id": "Product ID", "value": "Quantity", "timestamp": "Order Date"},
        ["Category", "Product Name"],
        ["Segment"],
    ),
    "games": (
        {"user_id": "user_id", "item_id": "item_id", "behaviour": "behaviour", "value": "value"},
        [],
        [],
    ),
    "bibliotheque": (
        {"user_id": "lecteur", "item_id": "livre", "behaviour": "action", "timestamp": "date_emprunt"},
        [],
        [],
    ),
}
CATALOGUES = {
    "tourism": {"item_id": "Place_Id", "title": "Place_Name"},
    "music": {"item_id": "id", "title": "name"},
    "clicks": {"item_id": "articleId", "title": "headline"},
    "shangcheng": {"item_id": "物品ID", "title": "商品名称"},
    "bibliotheque": {"item_id": "livre", "title": "titre"},
}


@pytest.mark.parametrize("name", ROLES)
def test_init_takes_the_columns_of_any_shop_for_what_they_are(poise, own_files, name):
    result = poise("init", own_files(name), "--json")
    assert result.code == 0, result.err
    tables = json.loads(result.out)["tables"]
    columns, of_items, of_users = ROLES[name]
    assert tables["events"]["columns"] == columns
    assert tables["events"]["of_items"] == of_items
    assert tables["events"]["of_users"] == of_users
    assert tables.get("items", {}).get("columns") == CATALOGUES.get(name)


def test_init_says_what_it_took_what_it_left_and_shows_three_rows(poise, own_files):
    result = poise("init", own_files("superstore"))
    assert result.code == 0
    assert "of the item: Category, Product Name" in result.out
    assert "of the user: Segment" in result.out
    assert "not used: Row ID (counts the rows)" in result.out
    shown = result.out.split("as understood:")[1]
    assert shown.count("Bush Bookcase No") == 3
    assert "04 Mar 2023" in shown


def test_init_says_where_it_is_not_sure(poise, own_files):
    folder = own_files("clicks")
    log = folder / "impressions.jsonl"
    log.write_text(log.read_text().replace('"clicked"', '"liked": 0, "clicked"'))
    result = poise("init", folder, "--yes")
    assert "not sure: clicked is taken for value; liked may be meant (--columns 'value=NAME')" in result.out


def test_a_catalogue_whose_ids_are_not_in_the_log_is_left_out_with_a_word(poise, own_files):
    folder = own_files("music")
    (folder / "plants.csv").write_text("product_id,name\nrose,Rose\nfern,Fern\n")
    result = poise("init", folder)
    assert "items: artists.dat" in result.out
    assert "not used: plants.csv (its product_id are not those of the events)" in result.out


def test_the_column_of_ids_in_a_catalogue_is_the_one_that_the_log_uses(poise, own_files):
    folder = own_files("music")
    lines = (folder / "artists.dat").read_text().splitlines()
    numbered = ["artist_id\t" + lines[0], *(f"x{place}\t{line}" for place, line in enumerate(lines[1:]))]
    (folder / "artists.dat").write_text("\n".join(numbered))
    result = poise("init", folder)
    assert "items: artists.dat (item_id = id, title = name)" in result.out
