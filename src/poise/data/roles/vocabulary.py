"""The words that the names of columns are made of, by what they speak of, in the usual languages.

Latin and Cyrillic words stand without accents; words of a concept stand in order of preference.
"""

from __future__ import annotations

from collections.abc import Mapping

CONCEPTS: Mapping[str, str] = {
    "person": (
        "user users customer customers visitor member client reviewer account person household reader listener "
        "viewer subscriber buyer shopper player consumer guest patron student learner borrower patient donor "
        "voter username nickname login profile panelist uid kunde kunden kundin benutzer nutzer anwender "
        "besteller kaeufer kaufer mitglied gast leser hoerer schueler utilisateur acheteur membre abonne adherent "
        "lecteur clients internaute eleve usuario cliente clientes comprador miembro socio lector alumno utente "
        "acquirente iscritto lettore membro usuarios leitor aluno assinante gebruiker klant koper lid lezer "
        "bezoeker leerling uzytkownik uzytkownika klient klienta kupujacy czytelnik пользователь пользователя "
        "клиент клиента покупатель покупателя юзер читатель зритель абонент kullanici musteri uye alici okuyucu "
        "pengguna pelanggan pembeli anggota nasabah 用户 用戶 客户 客戶 顾客 顧客 会员 會員 买家 買家 使用者 读者 "
        "消费者 学生 玩家 ユーザー ユーザ お客様 会員 利用者 購入者 読者 사용자 고객 회원 유저 이용자 구매자 독자"
    ),
    "visit": "session visit device cookie browser sitzung sesion seance sessione sessao ip 会话 设备 セッション 세션",
    "thing": (
        "item items product products prod movie movies film article articles news book books track song artist "
        "video videos business content post ad adgroup game app recipe course lesson job poi venue place listing "
        "offer anime show serie document doc streamer goods good object stock merchandise material beer wine joke "
        "hotel restaurant property repo podcast episode manga comic photo destination attraction point spot "
        "artikel produkt produkte ware waren buch buecher lied spiel rezept kurs filme produit produits livre jeu "
        "recette cours chanson producto productos articulo libro pelicula juego receta curso cancion prodotto "
        "prodotti articolo gioco ricetta corso canzone produto produtos livro jogo receita filmes musica boek "
        "spel recept cursus towar towaru produktu ksiazka gra przepis товар товара продукт продукта артикул книга "
        "книги фильм фильма песня игра рецепт курс номенклатура urun kitap filmi oyun tarif ders sarki barang "
        "produk buku tempat lagu permainan resep kursus wisata 商品 物品 产品 產品 电影 书籍 图书 歌曲 视频 影片 "
        "新闻 文章 课程 景点 餐厅 音乐 游戏 宝贝 作品 映画 本 曲 動画 記事 アイテム 製品 상품 제품 영화 도서 책 "
        "아이템 노래 게임 강의"
    ),
    "thing_code": (
        "parentasin gmapid asin sku isbn isbn13 isbn10 ean upc gtin barcode stockcode mbid imdb tmdb plu "
        "artikelnummer artikelnr barkod 货号 条码 款号"
    ),
    "id": (
        "id ids no nr num nbr number code key idx index uuid guid hash sha1 ref reference identifier kode kodu "
        "nummer nro numero codigo codice kod номер код ид identifikator identifiant identificador identificativo "
        "cod 编号 編號 编码 号码 代码 号 番号 コード 번호 코드 아이디"
    ),
    "title": (
        "title name headline label heading caption titel bezeichnung benennung titre nom intitule libelle titulo "
        "nombre titolo nome naam tytul nazwa название наименование имя назва baslik ad adi isim judul nama 标题 "
        "標題 名称 名稱 书名 片名 歌名 品名 名 タイトル 名前 題名 제목 이름 명"
    ),
    "description": (
        "description desc summary plot overview abstract synopsis details detail beschreibung descripcion "
        "descrizione descricao omschrijving opis описание aciklama deskripsi keterangan 描述 简介 简述 説明 概要 "
        "설명"
    ),
    "time": (
        "timestamp ts time tdat unix epoch datetime date when created at day dt moment occurred played listened "
        "watched datum zeit uhrzeit zeitpunkt zeitstempel zeitmarke heure horodatage jour fecha hora dia data ora "
        "giorno orario tijd tijdstip dag czas godzina дата время момент tarih tarihi zaman saat tanggal tgl waktu "
        "jam 时间戳 时间 日期 時間 日時 日付 时刻 시간 날짜 일시 일자 시각"
    ),
    "secondary_time": (
        "updated update modified edited ship shipped shipping delivery delivered deliver estimated approved birth "
        "birthday born dob release released publish published publication expiry expires expiration valid "
        "registered registration register signup joined since last deadline geburtsdatum geburtstag lieferdatum "
        "liefer versand naissance nacimiento nascita livraison entrega consegna local renewal 更新 出生 发货 注册 "
        "生年月日 생년월일"
    ),
    "order": (
        "invoice order orders transaction trans basket receipt bill cart purchase ticket checkout tid bestellung "
        "bestell rechnung rechnungs auftrag auftrags beleg bon kassenbon warenkorb kauf verkauf verkaufs commande "
        "facture panier achat pedido factura compra venta recibo ordine fattura acquisto vendita scontrino fatura "
        "venda bestelling factuur aankoop zamowienie zamowienia faktura zakup zakupu paragon заказ заказа чек "
        "покупка покупки счет siparis satis fis pesanan transaksi pembelian faktur 订单 訂單 交易 购买 购物 注文 "
        "購入 購買 주문 구매 거래"
    ),
    "behaviour": (
        "behaviour behavior action event interaction activity feedback verhalten aktion ereignis aktivitaet "
        "accion evento comportamiento comportement evenement interaccion azione comportamento acao atividade "
        "actie gedrag gebeurtenis akcja zdarzenie zachowanie действие событие поведение активность eylem islem "
        "davranis olay aksi tindakan aktivitas kegiatan perilaku 行为 行為 操作 动作 動作 事件 行動 イベント "
        "アクション 행동 이벤트 행위 액션"
    ),
    "type": (
        "type types typ tipe tipo tip art kind soort rodzaj тип вид tur turu jenis 类型 類型 种类 種別 타입 유형 종류"
    ),
    "status": "status state zustand estado statut stato stan статус durum durumu 状态 狀態 ステータス 상태",
    "rating": (
        "rating ratings rate rated score scores stars star overall points bewertung punkte punktzahl bewertungen "
        "sterne note evaluation avis etoiles puntuacion calificacion valoracion puntaje estrellas voto votazione "
        "valutazione stelle punteggio avaliacao nota estrelas pontuacao beoordeling waardering sterren cijfer "
        "ocena oceny gwiazdki оценка рейтинг оценки балл баллы puan puani derecelendirme nilai penilaian "
        "peringkat bintang 评分 評分 打分 得分 分数 星级 評価 点数 평점 별점 점수"
    ),
    "label": (
        "label target click clicked clk liked like likes purchased bought converted conversion disliked skipped "
        "follow followed share shared forward forwarded geklickt gekauft gefallen clique achete aime gustado "
        "comprado cliccato piaciuto clicado curtido 点击 点赞 クリック 클릭 "
        "vote votes voted upvote upvoted thumb thumbs recommend recommended leuk gostei favorite favourite 收藏 赞 "
        "是否收藏 是否点赞 是否点击 是否购买 喜欢 是否喜欢"
    ),
    "count": (
        "plays playcount listens listencount count counts frequency freq weight times watches aufrufe wiedergaben "
        "haeufigkeit ecoutes lectures reproducciones veces ascolti riproduzioni vezes reproducoes keren "
        "odtworzenia прослушивания раз dinlenme putar 次数 播放量 再生回数 回数 횟수 재생수"
    ),
    "quantity": (
        "quantity qty units pieces menge anzahl stueck stuck stk stueckzahl quantite qte cantidad cant unidades "
        "quantita pezzi quantidade qtd qtde aantal hoeveelheid stuks ilosc sztuk szt количество кол шт adet "
        "miktar jumlah kuantitas 数量 個数 件数 수량 개수"
    ),
    "value": "value strength wert valeur waarde wartosc значение deger 値 값",
    "duration": (
        "ratio duration dwell seconds secs minutes hours ms watchtime playtime playduration dauer verweildauer "
        "spieldauer minuten stunden sekunden duree minutos duracion horas durata durada duur длительность "
        "продолжительность минуты sure dakika durasi lama menit 时长 時長 停留 視聴時間 시청시간 체류시간"
    ),
    "price": (
        "price unitprice cost listprice preis einzelpreis stueckpreis prix precio prezzo preco prijs cena цена "
        "стоимость fiyat fiyati harga 价格 價格 单价 售价 価格 単価 値段 가격 단가"
    ),
    "amount": (
        "amount sales revenue total subtotal turnover spend spent gmv paid umsatz betrag summe gesamtbetrag "
        "montant importe ingresos importo totale fatturato valor faturamento bedrag omzet kwota suma сумма "
        "выручка итого tutar toplam ciro omset 金额 金額 总价 売上 合計 금액 매출 총액"
    ),
    "group": (
        "category categories cat class subclass genre genres brand department dept aisle family segment group "
        "commodity manufacturer publisher vendor seller supplier author authors writer director creator "
        "contributor editor actor colour color size kategorie gruppe marke warengruppe abteilung hersteller "
        "verlag autor farbe groesse categorie marque rayon auteur editeur couleur taille categoria marca "
        "departamento seccion genero reparto marchio autore colore taglia cor tamanho merk kleur maat rubriek "
        "kategoria marka dzial kolor kategori merek ukuran warna penulis penerbit категория бренд раздел автор "
        "жанр цвет размер kategorisi markasi yazar renk beden bolum 类别 類別 类目 分类 品类 品牌 作者 颜色 商家 "
        "店铺 カテゴリ カテゴリー ブランド 分類 著者 카테고리 분류 브랜드 저자 tag tags keyword keywords topic"
    ),
    "place": (
        "country city state region province county location address street postcode zip zipcode postal pin lat "
        "lng lon long latitude longitude coordinate coordinates geo area store branch land stadt ort plz filiale "
        "pays ville magasin adresse pais ciudad tienda direccion paese citta negozio indirizzo cidade loja "
        "endereco stad winkel kraj miasto sklep страна город магазин адрес регион ulke sehir magaza adres sube "
        "negara kota toko alamat lokasi 国家 城市 地区 省份 门店 地址 国 都市 店舗 住所 국가 도시 매장 주소 지역"
    ),
    "trait": (
        "age gender sex income occupation education marital birthyear yob alter geschlecht beruf edad sexo "
        "ingreso eta genere sesso idade leeftijd geslacht wiek plec возраст пол yas cinsiyet umur usia kelamin "
        "pekerjaan 年龄 年齡 性别 职业 年齢 性別 나이 성별 연령 직업"
    ),
    "contact": (
        "email mail telephone phone mobile tel handy telefon telefono telefone эл почта телефон eposta 邮箱 手机 "
        "电话 メール 이메일"
    ),
    "text": (
        "text review reviewtext comment comments message body remarks rezension kommentar kommentare commentaire "
        "comentario resena commento recensione resenha opmerking opinia recenzja отзыв комментарий yorum ulasan "
        "komentar 评论 评价 留言 レビュー コメント 리뷰 후기 댓글"
    ),
    "statistic": (
        "average avg mean median helpful useful funny cool votes vote discount disc rank year week month hour "
        "weekday dow durchschnitt schnitt mittelwert moyenne promedio medio gemiddelde srednia средняя средний "
        "ortalama rata rabatt 平均 折扣 年 週 月 평균 할인"
    ),
    "address": "url link href image img picture thumbnail website uri icon bild foto imagen 图片 链接 画像 이미지 링크",
    "row": "row rownumber line lfd zeile ligne fila riga linha regel wiersz строка satir baris 行号 序号 行 행 순번",
    "": (  # words that only hold others together
        "is has was 是否 of the a an de der die das den des du la le les el los las del di do da dos il lo van "
        "het een for by to in on and und et y e o per pro von zu im am の 的 所 일 sum mbox original my this"
    ),
}
"""Words by concept."""

BEHAVIOURS = (
    "view viewed views detailview pageview page_view pv click clicked clk cart addtocart add_to_cart add carted "
    "remove removefromcart remove_from_cart buy bought purchase purchased transaction order ordered checkout sale "
    "fav favorite favourite favorited bookmark wishlist collect like liked dislike disliked love unlike skip "
    "skipped hide play played complete completed watch watched listen listened stream finish read open impression "
    "show shown seen share shared follow followed comment rate rated review reviewed download install search "
    "visit checkin return returned refund refunded cancel cancelled canceled cancellation rent borrow loan "
    "subscribe enroll enrolled started kauf kaufen gekauft bestellung bestellt ansicht angesehen klick warenkorb "
    "merkzettel gemerkt retoure rueckgabe storno storniert ausleihe gelesen achat acheter achete vue vu clic "
    "panier favori retour annule commande lu emprunt consultation compra comprar comprado vista visto carrito "
    "favorito devolucion cancelado pedido prestamo leido me_gusta acquisto acquistato visualizzazione clicca "
    "carrello preferito reso annullato ordine letto prestito visualizacao clique carrinho curtida devolucao lido "
    "emprestimo aankoop gekocht bekeken klik winkelwagen favoriet geannuleerd zakup kupno wyswietlenie klikniecie "
    "koszyk ulubione zwrot anulowane просмотр просмотрел клик корзина покупка купил избранное возврат отмена лайк "
    "заказ satin_alma goruntuleme tiklama sepet iade iptal begeni lihat beli keranjang suka pembelian dibatalkan "
    "浏览 瀏覽 点击 點擊 购买 購買 下单 加购 加购物车 收藏 喜欢 点赞 分享 评论 评分 播放 观看 退货 退款 取消 曝光 "
    "跳过 不喜欢 閲覧 クリック 購入 カート お気に入り 返品 キャンセル 視聴 いいね 조회 클릭 구매 장바구니 찜 반품 "
    "취소 좋아요 시청"
)
"""What columns of behaviours hold, in lower case."""
