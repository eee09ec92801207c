import polars as pl
import pytest

from poise.data.roles.guess import guess_roles
from poise.data.schema.column_names import guess

ROLES = ("user_id", "item_id", "behaviour", "value", "timestamp")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
            "Customer ID,StockCode,-,Quantity,InvoiceDate",
        ),
        ("Member_number,Date,itemDescription", "Member_number,itemDescription,-,-,Date"),
        ("User_Id,Place_Id,Place_Ratings", "User_Id,Place_Id,-,Place_Ratings,-"),
        ("userID,artistID,weight", "userID,artistID,-,weight,-"),
        ("user-mboxsha1,artist-mbid,artist-name,plays", "user-mboxsha1,artist-mbid,-,plays,-"),
        ("User-ID,ISBN,Book-Rating", "User-ID,ISBN,-,Book-Rating,-"),
        ("t_dat,customer_id,article_id,price,sales_channel_id", "customer_id,article_id,-,-,t_dat"),
        (
            "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio",
            "user_id,video_id,-,watch_ratio,timestamp",
        ),
        ("user_id,item_id,click,follow,like,share,video_category,gender,age", "user_id,item_id,-,click,-"),
        (
            "household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,week,transaction_timestamp",
            "household_id,product_id,-,quantity,transaction_timestamp",
        ),
        (
            "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session",
            "user_id,product_id,event_type,-,event_time",
        ),
        (
            "rating,title,text,images,asin,parent_asin,user_id,timestamp,helpful_vote,verified_purchase",
            "user_id,parent_asin,-,rating,timestamp",
        ),
        (
            "review_id,user_id,business_id,stars,useful,funny,cool,text,date",
            "user_id,business_id,-,stars,date",
        ),
        ("user_id,book_id,is_read,rating,is_reviewed", "user_id,book_id,-,rating,-"),
        (
            "Row ID,Order ID,Order Date,Ship Date,Ship Mode,Customer ID,Customer Name,Segment,Country,City,Product ID,"
            "Category,Sub-Category,Product Name,Sales,Quantity,Discount,Profit",
            "Customer ID,Product ID,-,Quantity,Order Date",
        ),
        ("BillNo,Itemname,Quantity,Date,Price,CustomerID,Country", "CustomerID,Itemname,-,Quantity,Date"),
        ("email,course_name,purchased_at", "email,course_name,-,-,purchased_at"),
        ("Customer Name,Product,Order Date", "Customer Name,Product,-,-,Order Date"),
        ("kunde,artikel,datum,menge,preis", "kunde,artikel,-,menge,datum"),
        (
            "Kundennummer,Artikelnummer,Artikelbezeichnung,Bestelldatum,Menge,Einzelpreis",
            "Kundennummer,Artikelnummer,-,Menge,Bestelldatum",
        ),
        ("Schüler_ID,Kurs,Punkte,Abgabedatum", "Schüler_ID,Kurs,-,Punkte,Abgabedatum"),
        ("client,produit,date,quantité,prix", "client,produit,-,quantité,date"),
        ("id_cliente,id_producto,fecha_compra,cantidad", "id_cliente,id_producto,-,cantidad,fecha_compra"),
        ("cliente,articolo,data,quantità,prezzo", "cliente,articolo,-,quantità,data"),
        ("código_do_cliente,produto,data,avaliação", "código_do_cliente,produto,-,avaliação,data"),
        ("klant,artikel,datum,aantal", "klant,artikel,-,aantal,datum"),
        ("klient,produkt,data,ilość", "klient,produkt,-,ilość,data"),
        ("ID пользователя,код товара,дата,оценка", "ID пользователя,код товара,-,оценка,дата"),
        ("müşteri_no,ürün,tarih,adet", "müşteri_no,ürün,-,adet,tarih"),
        ("id_pelanggan,nama_barang,tanggal,jumlah", "id_pelanggan,nama_barang,-,jumlah,tanggal"),
        ("用户,商品,时间", "用户,商品,-,-,时间"),
        ("用户ID,物品ID,行为类型,时间戳", "用户ID,物品ID,行为类型,-,时间戳"),
        ("ユーザーID,商品ID,評価,日時", "ユーザーID,商品ID,-,評価,日時"),
        ("고객번호,상품코드,구매일시,수량", "고객번호,상품코드,-,수량,구매일시"),
    ],
)
def test_columns_of_public_data_and_of_many_languages_are_told_by_their_names(columns, expected):
    wanted = {role: name for role, name in zip(ROLES, expected.split(","), strict=True) if name != "-"}
    assert guess(columns.split(",")) == wanted


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            "Place_Id,Place_Name,Description,Category,City,Price,Rating,Time_Minutes,Coordinate,Lat,Long",
            "Place_Id,Place_Name",
        ),
        ("business_id,name,address,city,stars,review_count,is_open", "business_id,name"),
        ("main_category,title,average_rating,rating_number,price,parent_asin", "parent_asin,title"),
        ("ISBN,Book-Title,Book-Author,Year-Of-Publication,Publisher", "ISBN,Book-Title"),
        ("name,id,minutes,contributor_id,submitted,description", "id,name"),
        ("Artikelnummer,Bezeichnung,Warengruppe,Preis", "Artikelnummer,Bezeichnung"),
        ("商品编号,商品名称,类目,价格", "商品编号,商品名称"),
    ],
)
def test_columns_of_catalogues_are_told_by_their_names(columns, expected):
    item, title = expected.split(",")
    assert guess(columns.split(","), "items") == {"item_id": item, "title": title}


def test_values_tell_between_columns_of_like_names():
    frame = pl.DataFrame(
        {
            "user": ["a", "b"] * 30,
            "item": [f"i{row % 7}" for row in range(60)],
            "date": ["Tuesday", "Monday"] * 30,
            "bought": [f"{row % 28 + 1}.03.2024" for row in range(60)],
            "event": [f"event {row}" for row in range(60)],
            "what": ["view", "purchase", "view"] * 20,
            "average rating": ["4.5"] * 60,
        }
    )
    assert guess(frame) == {"user_id": "user", "item_id": "item", "behaviour": "what", "timestamp": "bought"}


def test_what_is_said_of_an_item_is_no_value_of_an_event():
    events = [(f"u{row % 9}", f"i{row % 13}", str(row % 13 % 5 + 1), str(row % 5 + 1)) for row in range(200)]
    frame = pl.DataFrame(events, schema=["user", "item", "rating", "score"], orient="row")
    assert guess(frame)["value"] == "score"
    assert "value" not in guess(frame.drop("score"))


def test_numbers_of_rows_are_neither_people_nor_items():
    frame = pl.DataFrame(
        {"item": list(map(str, range(50))), "customer": ["a", "b"] * 25, "product": ["x", "y", "z", "x", "y"] * 10}
    )
    assert guess(frame) == {"user_id": "customer", "item_id": "product"}


def test_a_choice_names_its_rivals():
    frame = pl.DataFrame({name: [] for name in ("user_id", "item_id", "click", "like")})
    choice = guess_roles(frame, "events", {})["value"]
    assert (choice.name, choice.rivals, choice.is_sure) == ("click", ("like",), False)


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("vote", "1", "-1"),
        ("vote", "up", "down"),
        ("thumbs_up", "yes", "no"),
        ("leuk", "ja", "nee"),
        ("是否收藏", "是", "否"),
    ],
)
def test_a_column_of_yes_and_no_is_the_value(name, yes, no):
    frame = pl.DataFrame(
        {
            "user": [f"u{row % 7}" for row in range(60)],
            "item": [f"i{row % 11}" for row in range(60)],
            name: [yes if row % 3 else no for row in range(60)],
        }
    )
    assert guess(frame)["value"] == name
