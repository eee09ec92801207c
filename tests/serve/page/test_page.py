"""The page for people, as it goes over the wire. How it behaves in a browser is in test_page_browser.py."""

from __future__ import annotations

import html
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from markupsafe import escape
from starlette.testclient import TestClient

from poise.data.vocabulary import Vocabulary
from poise.errors import UsageError
from poise.project import Project
from poise.serve.catalogue.catalogue import Catalogue
from poise.serve.http.app import make_app
from poise.serve.page.cards import details, facts
from poise.serve.page.pictures import name_of, picture_of, read_picture, styles_of, stylesheet_of
from poise.serve.page.routes import PAGES
from poise.serve.page.visit import Visit
from poise.serve.page.words import ago, chosen_by, done, leaning, measured
from poise.store.records import Item
from poise_client.schema.users import Interest

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> & {{ 7 * 7 }}"


class Visitor:
    """A browser without eyes: keeps cookies, reads forms, follows redirects."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, follow_redirects=True, timeout=30)

    def get(self, address: str = "/", status: int = 200, **query: str) -> str:
        answer = self.client.get(address, params=query or None)
        assert answer.status_code == status, answer.text
        return answer.text

    def post(self, address: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        token = self.client.cookies.get("poise_form", "")
        return self.client.post(address, data={"token": token, **fields}, headers=headers)


@pytest.fixture
def visitor(server) -> Iterator[Visitor]:
    new_visitor = Visitor(server.url)
    yield new_visitor
    new_visitor.client.close()


def text_of(page: str) -> str:
    """Return what a page says, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def slates_of(page: str) -> list[list[str]]:
    """Return the ids in the two slates of a page."""
    return [
        re.findall(r'name="view" value="([^"]+)"', slate) for slate in re.findall(r"(?s)<ol class=.slate.*?</ol>", page)
    ]


def test_the_page_offers_users_and_the_catalogue(visitor):
    page = visitor.get()
    assert "Sea story" in page
    assert "Moon story" in page
    assert "40 items" in page
    said = text_of(page)
    assert re.search(r"u\d\d \d+ events", said)
    assert re.search(r'href="/\?user=guest-[0-9a-f]{8}">begin as somebody new', page)
    assert 'action="/page/event"' in page
    assert re.search(r'name="user" value="guest-[0-9a-f]{8}"', page), "a click at once begins as somebody new"


def test_the_latest_user_is_offered_first(server, visitor):
    server.add("came second to last", "i00")
    server.add("came last", "i00")
    offered = re.findall(r'<a href="[^"]*user=[^"]*">([^<]+)</a>', visitor.get())
    assert offered[:2] == ["came last", "came second to last"]
    assert 3 < len(offered) <= 9


def test_headers_forbid_scripts_and_foreign_requests(visitor):
    for path in ("/", "/?user=u00", "/?user=%00", "/page/style.css"):
        answer = visitor.client.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self';")
        for part in ("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert part in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:|//cdn|https?://(?!www\.w3)", answer.text)
    cookie = httpx.get(visitor.client.base_url).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert visitor.client.get("/").headers["cache-control"] == "no-store"
    style = re.search(r'href="(/page/style\.css\?v=\w+)"', visitor.get())[1]
    assert "immutable" in visitor.client.get(style).headers["cache-control"]
    assert "prefers-color-scheme: dark" in visitor.get(style)


def test_a_browser_gets_a_page_where_there_is_nothing(visitor):
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = visitor.client.get("/nothing<here>", headers=browser)
    assert answer.status_code == 404
    assert "There is no page &#39;/nothing&lt;here&gt;&#39; here." in answer.text
    assert "content-security-policy" in answer.headers
    assert visitor.client.get("/nothing").json()["status"] == 404
    assert visitor.client.get("/v1/nothing", headers=browser).json()["status"] == 404


def test_head_of_the_page(visitor):
    answer = visitor.client.head("/")
    assert answer.status_code == 200
    assert answer.text == ""
    assert visitor.client.post("/").status_code == 405


def test_history_and_slates_with_reasons(server, visitor):
    server.add("hist", "i00", behaviour="like", timestamp="2025-11-01T00:00:00Z")
    server.add("hist", "i02", timestamp="2025-11-02T00:00:00Z")
    server.add("hist", "i04", behaviour="rate", value=4)
    page = visitor.get(**{"user": "hist", "with": "popular"})
    said = text_of(page)
    assert re.search(
        r"3 events, newest first Sea story 4 rated 4 · just now Sea story 2 viewed · 2 Nov 2025 "
        r"Sea story 0 liked · 1 Nov 2025",
        said,
    )
    assert re.search(r"ranker · [\d.]+ ms, reasons [\d.]+ ms", said)
    assert re.search(r"Because you (viewed|liked|rated) Sea story", said)
    mine, popular = slates_of(page)
    assert len(mine) == len(popular) == 10
    assert not {"i00", "i02", "i04"} & {*mine, *popular}, "what somebody did something with is not shown"
    assert mine == server.shown(user_id="hist", k=10)
    assert re.search(r"popular · [\d.]+ ms", said)
    counts = [int(count) for count in re.findall(r"Chosen by (\d+) people", said)]
    assert len(counts) == 10, "in words, not as a share of the most popular"
    assert min(counts) > 1


def test_a_new_user_on_the_page(visitor):
    page = visitor.get(user="guest-of-today")
    assert "Nothing is known yet" in page
    assert re.search(r"popular · [\d.]+ ms", text_of(page))
    assert re.search(r"Popular with others; chosen by \d+ people", text_of(page))
    assert '<span class="unseen">Score' not in page


def test_markup_in_data_is_escaped(server, visitor):
    put = server.client.post(
        "/v1/items", json={"item_id": HOSTILE, "content": {"title": f"Zebra {HOSTILE}", "genres": [HOSTILE]}}
    )
    assert put.json()["accepted"] == 1
    server.add(HOSTILE, HOSTILE)
    history = visitor.get(user=HOSTILE)
    searched = visitor.get(q="zebra", user="u00")
    echo = visitor.get(**{"q": HOSTILE, "user": "u00", "with": HOSTILE, "since": HOSTILE})
    people = visitor.get()
    for page in (history, searched, echo, people):
        assert str(escape(HOSTILE)) in page
        assert "<script" not in page
        assert "<img" not in page
    server.client.delete(f"/v1/items/{quote(HOSTILE, safe='')}")
    server.client.delete(f"/v1/users/{quote(HOSTILE, safe='')}")


def test_a_click_is_an_event_with_the_request_id(server, visitor):
    page = visitor.get(user="clicker")
    request_id = re.search(r'name="request" value="(\w+)"', page)[1]
    since = re.findall(r'name="since" value="(\w+)"', page)[0]
    assert since == request_id
    item = slates_of(page)[0][0]
    answer = visitor.post("/page/event", user="clicker", view=item, request=request_id, since=since, q="sea")
    assert answer.status_code == 200
    assert [event.status_code for event in answer.history] == [303]
    assert answer.url.path == "/"
    assert dict(answer.url.params) == {"user": "clicker", "q": "sea", "since": since}
    assert answer.url.fragment == "slates"
    said = text_of(answer.text)
    assert re.search(r"Viewed \w+ story \d+ \. The slate has changed: \d+ new, \d+ moved", said)
    mine, _ = slates_of(answer.text)
    assert item not in mine
    profile = server.client.get("/v1/users/clicker/profile").json()
    assert [(event["item_id"], event["behaviour"]) for event in profile["history"]] == [(item, "view")]
    shown = server.client.get(f"/v1/requests/{request_id}").json()["items"]
    assert {item_body["item_id"]: item_body["feedback"] for item_body in shown}[item] == ["view"]
    liked = visitor.post("/page/event", user="clicker", like=mine[0])
    assert re.search(r"liked · just now", text_of(liked.text))


def test_changes_of_the_slate_are_marked(server, visitor):
    server.add("marked", "i01")
    before = visitor.get(user="marked")
    since = re.findall(r'name="since" value="(\w+)"', before)[0]
    was = slates_of(before)[0]
    after = visitor.post("/page/event", user="marked", like="i03", since=since).text
    now = slates_of(after)[0]
    first_slate = re.search(r"(?s)<ol class=.slate.*?</ol>", after)[0]
    assert first_slate.count('<p class="new">new</p>') == len(set(now) - set(was))
    moved = sum(was.index(item) != index for index, item in enumerate(now) if item in was)
    assert first_slate.count("↑") + first_slate.count("↓") == moved
    assert "The slate has changed" in visitor.get(user="marked", since=since)
    assert "The slate" not in text_of(visitor.get(user="somebody-else", since=since)), "that request was not theirs"


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        ({"token": ""}, {}, 403),
        ({"token": "guessed"}, {}, 403),
        ({}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({}, {"Sec-Fetch-Site": "same-site"}, 403),
        ({"view": ""}, {}, 422),
        ({"user": ""}, {}, 422),
        ({"view": "a\x01b"}, {}, 422),
        ({"user": "x" * 300}, {}, 422),
        ({"request": "x" * 300}, {}, 422),
        ({"q": "x" * 30_000}, {}, 413),
    ],
)
def test_forged_and_invalid_forms_are_refused(server, visitor, fields, headers, status):
    visitor.get()
    answer = visitor.post("/page/event", headers, **{"user": "victim", "view": "i00", **fields})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert server.tenant.store.history("victim") == []
    assert server.tenant.store.history("x" * 300) == []


def test_forms_without_cookies_are_refused(server):
    answer = httpx.post(f"{server.url}/page/event", data={"token": "", "user": "victim", "view": "i00"})
    assert answer.status_code == 403
    answer = httpx.post(f"{server.url}/page/event", content=b"\xff\xfe", headers={"Cookie": "poise_form=a"})
    assert answer.status_code == 400


def test_search_and_more_pages_of_the_catalogue(server, visitor):
    page = visitor.get(q="ocean")
    assert "Found for “ocean”" in page
    titles = re.findall(r'<span class="unseen">View </span>([^<]+)</button>', page)
    assert titles
    assert all("Sea" in title for title in titles[:5]), "by meaning: no title has the word"
    assert "Nothing fits" in visitor.get(q="zzzzqqqq")
    assert len(re.findall(r'class="card"', visitor.get())) == 24
    assert len(re.findall(r'class="card"', visitor.get(part="2"))) >= 40
    assert "Show more" not in visitor.get(part="2")
    for part in ("0", "-1", "x", "²", "99999999999"):
        visitor.get(part=part)
    assert visitor.get(user="\x00", status=422).count("<h1>") == 1


@pytest.fixture(scope="module")
def locked(start, copy_shop):
    """Return a server with keys, and keys of each scope."""
    folder = copy_shop()
    store = Project(folder).open_store()
    keys = {
        "+".join(scopes): store.create_key("test", scopes)[1]
        for scopes in (["read"], ["write"], ["read", "write"], ["read", "write", "admin"])
    }
    store.close()
    return start(folder, is_open=False), keys


def test_a_user_of_the_page_is_the_one_of_the_api(server, visitor):
    visitor.get()
    did = visitor.post("/page/event", user="nai\u0308ve\u00a0", view="i03")
    assert did.status_code == 200
    profile = server.client.get("/v1/users/na\u00efve/profile").json()
    assert [event["item_id"] for event in profile["history"]] == ["i03"]
    assert "na\u00efve" in visitor.get(user="nai\u0308ve")
    assert visitor.get(user="null", status=422).count("<h1>") == 1, "a word for nobody"


def test_the_page_asks_for_a_key_once(locked):
    server, keys = locked
    visitor = Visitor(server.url)
    page = visitor.get(status=401)
    assert 'type="password"' in page
    assert "story" not in page
    assert "shop" not in text_of(page)
    for wrong in ("", "poise_a_b", keys["read"] + "x", "a b\r\nSet-Cookie: x=y", "x" * 500):
        answer = visitor.post("/page/key", key=wrong)
        assert answer.status_code == 401
        assert "poise_key" not in visitor.client.cookies
    assert visitor.post("/page/key", {"Sec-Fetch-Site": "cross-site"}, key=keys["read"]).status_code == 403
    assert visitor.client.post("/page/key", data={"key": keys["read"]}).status_code == 403
    answer = visitor.post("/page/key", key=keys["read"])
    assert answer.status_code == 200
    cookie = next(line for line in answer.history[0].headers.get_list("set-cookie") if line.startswith("poise_key"))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    assert "Sea story" in visitor.get()
    assert visitor.client.get("/v1/popular").status_code == 401, "a cookie is for the page"
    visitor.post("/page/leave")
    visitor.get(status=401)


def test_the_key_cookie_is_secure_behind_https(locked):
    server, keys = locked
    visitor = Visitor(server.url)
    visitor.get(status=401)
    token = visitor.client.cookies["poise_form"]
    answer = httpx.post(
        f"{server.url}/page/key",
        data={"token": token, "key": keys["read"]},
        headers={"X-Forwarded-Proto": "https", "Cookie": f"poise_form={token}"},
    )
    assert "Secure" in answer.headers["set-cookie"]


def test_the_page_shows_what_the_scopes_of_a_key_allow(locked):
    server, keys = locked

    def with_key(scopes: str) -> Visitor:
        visitor = Visitor(server.url)
        visitor.get(status=401)
        visitor.post("/page/key", key=keys[scopes])
        return visitor

    reader = with_key("read")
    page = reader.get(user="u00")
    assert "Sea story" in page
    assert not re.search(r'name="(view|like)"', page)
    assert "u01" not in reader.get(), "who is known is for admins, as in the API"
    assert reader.post("/page/event", user="u00", view="i00").status_code == 403
    assert "View" not in re.findall(r"<h1>.*?</h1>", page)[0]

    writer = with_key("read+write")
    assert re.search(r'name="view"', writer.get(user="u00"))
    assert writer.post("/page/event", user="new", view="i00").status_code == 200
    assert not re.search(r"u\d\d</a>", writer.get())

    admin = with_key("read+write+admin")
    assert re.search(r">(u\d\d|new)</a>", admin.get())

    visitor = Visitor(server.url)
    visitor.get(status=401)
    refused = visitor.post("/page/key", key=keys["write"])
    assert refused.status_code == 403
    assert "poise_key" not in visitor.client.cookies


def test_each_key_shows_its_own_project(start, tmp_path, copy_shop):
    folders, keys = [copy_shop(), copy_shop()], []
    for number, folder in enumerate(folders):
        path = folder / "poise.toml"
        path.write_text(path.read_text().replace('"shop"', f'"shop of {number}"'))
        with Project(folder).fill_store() as store:
            keys.append(store.create_key("test", ["read", "write"])[1])
    server = start(*folders, is_open=False)
    for number, key in enumerate(keys):
        visitor = Visitor(server.url)
        visitor.get(status=401)
        visitor.post("/page/key", key=key)
        assert f"shop of {number}" in visitor.get()
        visitor.post("/page/event", user=f"only of {number}", view="i00")
    assert [
        [store.history(f"only of {number}") != [] for number in (0, 1)] for store in (t.store for t in server.tenants)
    ] == [
        [True, False],
        [False, True],
    ]


def test_one_run_beside_popular_items(start, copy_shop):
    folder = copy_shop()
    older, newest = Project(folder).runs
    shutil.rmtree(folder / "runs" / older)
    page = Visitor(start(folder).url).get(user="u00")
    assert newest in page
    assert "Popularity</h2>" in page
    assert "<select" not in page, "nothing to choose"


def test_two_runs_side_by_side(start, copy_shop):
    folder = copy_shop()
    older, newest = Project(folder).runs
    runs = folder / "runs"
    copies = [runs / f"2000-01-0{day}T00-00-00" for day in (1, 2, 3)]
    for copy in copies:
        shutil.copytree(runs / older, copy)
    (copies[0] / "run.json").write_text("{}")
    shutil.rmtree(copies[1] / "pipeline")
    (copies[2] / "pipeline" / "model.json").write_text("{")
    server = start(folder)
    visitor = Visitor(server.url)
    page = visitor.get(user="u00")
    choices = re.findall(r'<option value="([^"]+)"( selected)?>', page)
    assert choices == [(older, " selected"), (copies[2].name, ""), ("popular", "")], "the damaged are not offered"
    left, right = slates_of(page)
    assert left == server.shown(user_id="u00", k=10)
    assert right == server.shown(user_id="u00", k=10, run=older)
    assert left != right
    since = re.findall(r'name="since" value="(\w+)"', page)[:2]
    assert [server.client.get(f"/v1/requests/{request_id}").json()["run"] for request_id in since] == [newest, older]
    popular = visitor.get(**{"user": "u00", "with": "popular"})
    assert slates_of(popular)[1] not in (left, right)
    broken = visitor.get(**{"user": "u00", "with": copies[2].name})
    assert "What is popular is shown instead" in broken
    assert slates_of(broken)[1] == slates_of(popular)[1]
    assert f'value="{older}" selected' in visitor.get(**{"user": "u00", "with": "no-such-run"})


def test_the_page_while_the_server_starts_and_when_it_fails():
    go_on = threading.Event()

    def never():
        go_on.wait(20)
        raise UsageError("no run in <here>")

    with TestClient(make_app(never, PAGES)) as client:
        starting = client.get("/")
        assert starting.status_code == 503
        assert starting.headers["refresh"] == "1"
        assert "Starting" in starting.text
        go_on.set()
        for _ in range(200):
            failed = client.get("/")
            if "refresh" not in failed.headers:
                break
        assert failed.status_code == 503
        assert "No run in &lt;here&gt;" in failed.text


def test_a_failure_is_a_page_without_secrets(server, visitor, monkeypatch):
    monkeypatch.setattr("poise.serve.page.routes.shelf", None)
    page = visitor.get(status=500)
    assert "Something went wrong here" in page
    assert "NoneType" not in page


@pytest.fixture
def pictured(tmp_path: Path) -> Callable[[str | None], tuple[Catalogue, Path]]:
    def make(place: str | None) -> tuple[Catalogue, Path]:
        folder = tmp_path / "project"
        (folder / "covers").mkdir(parents=True, exist_ok=True)
        (folder / "covers" / "a.png").write_bytes(PNG)
        (folder / "poise.toml").write_text("secret")
        (folder / "covers" / "fake.png").write_text("<svg onload=alert(1)>")
        (folder / "covers" / "page.png").write_text("<html>")
        (tmp_path / "outside.png").write_bytes(PNG)
        (folder / "covers" / "link.png").unlink(missing_ok=True)
        (folder / "covers" / "link.png").symlink_to(tmp_path / "outside.png")
        items = [Item("a/ü &", {} if place is None else {"cover": place})]
        return Catalogue.of_ids(Vocabulary(["a/ü &"]), {"cover": "image"}, None).changed(items, []), folder

    return make


def test_pictures(pictured):
    catalogue, folder = pictured("covers/a.png")
    assert picture_of(catalogue, 1) == "/page/picture?item=a%2F%C3%BC+%26"
    assert read_picture(catalogue, 1, folder) == (PNG, "image/png")
    assert picture_of(pictured("https://example.org/a.jpg")[0], 1) == "https://example.org/a.jpg"
    assert picture_of(pictured(None)[0], 1) == ""
    assert picture_of(replace(catalogue, kinds={"cover": "text"}), 1) is None


@pytest.mark.parametrize(
    "place",
    [
        None,
        "",
        "covers",
        "covers/none.png",
        "covers/fake.png",
        "covers/page.png",
        "covers/link.png",
        "poise.toml",
        "../outside.png",
        "/etc/passwd",
        "covers/a.png\x00",
        "a" * 5000,
    ],
)
def test_files_that_are_no_picture_of_the_project_are_not_served(pictured, place):
    catalogue, folder = pictured(place)
    assert read_picture(catalogue, 1, folder) is None


def test_a_picture_cannot_leave_its_rule(pictured):
    place = 'https://example.org/a(1) b.jpg?x=%20"); } body { display: none } /*\\'
    catalogue, folder = pictured(place)
    (rule,) = stylesheet_of(catalogue, [1], folder).splitlines()
    assert rule == (
        f".{name_of('a/ü &')} {{ background-image: "
        'url("https://example.org/a%281%29%20b.jpg?x=%20%22%29;%20%7D%20body%20%7B%20display:%20none%20%7D%20/*%5C"); }'
    )


def test_pictures_are_found_by_the_name_of_their_column_too():
    kinds = {"title": "text", "Image_URL": "text"}
    contents = [{"title": "a"}, {"Image_URL": ["https://example.org/1?w=3", "https://example.org/2"]}]
    items = [Item(f"i{place}", content) for place, content in enumerate(contents)]
    catalogue = Catalogue.of_ids(Vocabulary(["i0", "i1"]), kinds, "title")
    assert picture_of(catalogue, 1) is None, "nothing in it is an address"
    catalogue = catalogue.changed([Item("i1", {"Image_URL": "see the catalogue"})], [])
    assert picture_of(catalogue, 2) is None
    catalogue = catalogue.changed(items, [])
    assert [picture_of(catalogue, item) for item in (1, 2)] == ["", "https://example.org/1?w=3"]


@pytest.mark.parametrize("place", [None, "covers/none.png", "covers/fake.png", "../outside.png"])
def test_a_picture_that_is_not_there_has_no_rule(pictured, place):
    catalogue, folder = pictured(place)
    assert stylesheet_of(catalogue, [1], folder) == ""


def test_stylesheets_hold_a_bounded_number_of_pictures():
    addresses = styles_of([str(number % 50) for number in range(200)])
    assert [address.count("item=") for address in addresses] == [24, 24, 2]
    assert styles_of([]) == []


def test_pictures_over_http(start, copy_shop):
    folder = copy_shop()
    store = Project(folder).open_store()
    described = store.setting("catalogue")
    store.set("catalogue", {**described, "item_kinds": {**described["item_kinds"], "cover": "image"}}).result()
    item = store.item("i00")
    store.put_items([replace(item, content={**item.content, "cover": "covers/a.png"})]).result()
    store.close()
    (folder / "covers").mkdir()
    (folder / "covers" / "a.png").write_bytes(PNG)
    visitor = Visitor(start(folder).url)
    page = visitor.get(part="2")
    assert f'<span class="picture {name_of("i00")}"></span>' in page
    assert page.count('<span class="picture none"></span>') == 39, "the others have none"
    (style,) = re.findall(r'href="(/page/pictures\.css[^"]*)"', page)
    assert visitor.get(style) == f'.{name_of("i00")} {{ background-image: url("/page/picture?item=i00"); }}\n'
    answer = visitor.client.get("/page/picture?item=i00")
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    for other in ("i01", "none", ""):
        visitor.get("/page/picture", 404, item=other)
    visitor.get("/page/picture", 404)


def test_words_of_the_page():
    now = 1_760_000_000_000
    for age, said in (
        (0, "just now"),
        (59_999, "just now"),
        (60_000, "1 min ago"),
        (3_599_999, "59 min ago"),
        (3_600_000, "1 h ago"),
        (86_400_000, "yesterday"),
        (3 * 86_400_000, "3 days ago"),
        (7 * 86_400_000, "2 Oct 2025"),
        (-1_000, "9 Oct 2025"),
    ):
        assert ago(now - age, now) == said
    assert ago(0, now) == "", "the log has no time"
    assert [chosen_by(many) for many in (0, 1, 1_204)] == ["", "chosen by one person", "chosen by 1,204 people"]
    nan = float("nan")
    assert done("view", None, nan) == "viewed"
    assert done("rate", 5, 4) == "liked, rated 5"
    assert done("rate", 3.5, 4) == "rated 3.5"
    assert done("purchase", 2, nan) == "bought 2"
    assert done("dislike", None, nan) == "disliked"
    assert done("check_in", None, nan) == "check in", "the log's own word, where there is no other"
    assert done("interaction", None, nan) == "chose"


def test_scores_are_written_so_that_they_can_be_told_apart():
    assert measured([12.345, 1.0, -3.0]) == ["12.35", "1.00", "-3.00"]
    assert measured([0.8125, 0.0625]) == ["0.812", "0.062"]
    assert measured([0.0012, 0.0011]) == ["", ""], ".001 tells people nothing"
    assert measured([]) == []


def test_interests_are_sorted_by_the_figure_that_is_shown():
    found = [
        Interest("genre", "sea", 0.5, 2.0),
        Interest("genre", "moon", 0.1, 6.1),
        Interest("genre", "all", 0.9, 1.1),
    ]
    assert leaning(found, 4) == [("moon", "6.1×"), ("sea", "2.0×")]
    assert leaning(found, 1) == [("sea", "2.0×")], "what is left out is what says least"


@pytest.fixture
def odd_shop() -> Catalogue:
    kinds = {
        "title": "text",
        "Price_EUR": "number",
        "genre": "categories",
        "maker": "category",
        "year": "number",
        "shop_id": "number",
        "blurb": "text",
        "photo": "image",
    }
    contents = [
        {
            "title": "红楼梦",
            "Price_EUR": 1299,
            "genre": "a|b",
            "maker": "m",
            "year": 1999,
            "shop_id": 7,
            "blurb": "x" * 900,
        },
        {"title": None, "Price_EUR": "12,99 €", "genre": ["a"], "maker": "m", "year": None, "photo": "a.png"},
        {},
        {"Price_EUR": 4.5, "genre": "a", "maker": "M" * 60, "year": "2001", "blurb": "short"},
    ]
    ids = [f"i{number}" for number in range(len(contents))]
    items = [Item(item_id, content) for item_id, content in zip(ids, contents, strict=True)]
    return Catalogue.of_ids(Vocabulary(ids), kinds, "title").changed(items, [])


def test_cards_say_price_labels_and_numbers(odd_shop):
    assert [facts(odd_shop, item) for item in range(1, 5)] == [
        ["price eur 1,299.00", "a, b", "m", "year 1999"],
        ["price eur 12,99 €", "a", "m"],
        [],
        ["price eur 4.50", "a", "year 2001"],
    ]


def test_an_item_is_shown_with_all_its_columns(odd_shop):
    said = dict(details(odd_shop, 1))
    assert list(said) == ["price eur", "genre", "maker", "year", "shop id", "blurb"]
    assert len(said["blurb"]) == 601
    assert "photo" not in dict(details(odd_shop, 2))
    assert details(odd_shop, 3) == []


def test_items_like_one(server, visitor):
    page = visitor.get(item="i00", user="guest-a")
    assert "Like “Sea story 0”" in page
    assert "country no" in text_of(page)
    shown = re.findall(r'name="view" value="([^"]+)"', page[page.index('id="catalogue"') :])
    wanted = server.client.get("/v1/items/i00/similar", params={"k": "24"}).json()["items"]
    assert shown == [item["item_id"] for item in wanted]
    assert 'name="item" value="i00"' in page, "a click comes back here"
    assert "There is no item" in text_of(visitor.get(status=404, item="nowhere"))


def test_a_visit_is_encoded_in_its_address():
    visit = Visit("a&b=c", "one two", "popular", ("r1", "r2"), 3, "i/1")
    address = visit.address("slates")
    assert address.endswith("#slates")
    assert Visit.of(httpx.URL(address).params.multi_items()) == visit
    assert Visit.of([]).address() == "/"
    assert visit.address(user_id=None, query="", beside=None, since=(), part=1, item=None) == "/"
