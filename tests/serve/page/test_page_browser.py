"""The page for people in a real browser: Debian's Chromium, headless."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

WIDTHS = (360, 412, 768, 1024, 1280, 1920)


@pytest.fixture
def open_page(browser, server) -> Iterator[Callable[..., Any]]:
    """Return a function that opens an address in a window of its own; whatever the browser complains of is an error."""
    contexts, complaints = [], []

    def visit(address: str = "/", **options: Any) -> Any:
        context = browser.new_context(base_url=server.url, **options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.on("request", lambda request: request.url.startswith(server.url) or complaints.append(request.url))
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert [complaint for complaint in complaints if not complaint.startswith("data:")] == []


def slate(page: Any, number: int = 0) -> list[str]:
    titles = page.locator("ol.slate").nth(number).locator(".title").all_inner_texts()
    return [title.removeprefix("View").strip() for title in titles]


def history(page: Any) -> list[str]:
    return [" ".join(event.split()) for event in page.locator(".history li").all_inner_texts()]


def test_a_click_of_a_new_user_changes_the_slate(server, open_page):
    page = open_page()
    page.get_by_role("link", name="begin as somebody new").click()
    user = page.get_by_role("heading", level=1).inner_text().removeprefix("User ")
    assert re.fullmatch(r"guest-[0-9a-f]{8}", user)
    assert page.get_by_text("Nothing is known yet").is_visible()
    assert history(page) == []
    unknown = slate(page)

    page.get_by_label("Search the catalogue").fill("moon")
    page.get_by_role("button", name="Search").click()
    page.locator("#catalogue").get_by_role("button", name="View Moon story 1", exact=True).click()
    page.get_by_role("status").wait_for()
    assert history(page) == ["Moon story 1 viewed · just now"]
    first = slate(page)
    assert first != unknown
    assert page.get_by_text(re.compile("^ranker · ")).count() == 2
    assert page.get_by_text("Because you viewed Moon story 1").first.is_visible()
    assert page.get_by_label("Search the catalogue").input_value() == "moon", "the click has not lost the search"

    clicked = first[0]
    page.locator("ol.slate").first.get_by_role("button", name=f"Like {clicked}", exact=True).click()
    page.get_by_role("status").get_by_text(f"Liked {clicked}").wait_for()
    assert history(page) == [f"{clicked} liked · just now", "Moon story 1 viewed · just now"]
    second = slate(page)
    assert clicked not in second
    assert second != first
    assert page.locator(".fresh").count() == 1

    past_events = server.client.get(f"/v1/users/{user}/profile").json()["history"]
    assert [(event["title"], event["behaviour"]) for event in past_events] == [
        (clicked, "like"),
        ("Moon story 1", "view"),
    ]
    feedback = [request_id for event in server.tenant.store.history(user) if (request_id := event.request_id)]
    assert len(feedback) == 1, "the click in the slate answers its request, the one in the catalogue none"

    page.go_back()
    page.reload()
    assert len(history(page)) == 2, "going back and reloading enters nothing twice"


def test_what_is_not_for_somebody_goes(open_page):
    page = open_page("/?user=u04&with=popular")
    unwanted = slate(page)[0]
    page.locator("ol.slate").first.get_by_role("button", name=f"Not for me: {unwanted}", exact=True).click()
    status = page.get_by_role("status")
    status.get_by_text(f"Disliked {unwanted}. It is shown no more.").wait_for()
    assert unwanted not in slate(page, 0)
    assert unwanted not in slate(page, 1)
    assert history(page)[0] == f"{unwanted} disliked · just now"
    assert "Because you disliked" not in page.content(), "a no is no reason"


def test_items_like_one_are_a_click_away(open_page):
    page = open_page("/?user=u05")
    first = page.locator("#catalogue .card").first
    title = first.locator(".title").inner_text().removeprefix("View").strip()
    first.get_by_role("link", name=f"Similar to {title}").click()
    page.get_by_role("heading", name=f"Like “{title}”").wait_for()
    assert page.locator(".shown dt").first.inner_text() == "id"
    shown = page.locator("#catalogue .card .title").all_inner_texts()
    assert shown
    assert f"View {title}" not in [" ".join(text.split()) for text in shown]
    page.get_by_role("link", name=re.compile("Show all")).click()
    page.get_by_role("heading", name="Catalogue").wait_for()


@pytest.mark.parametrize("address", ["/", "/?user=u00", "/?user=guest-1&item=i00", "/docs"])
def test_what_can_be_clicked_looks_so(open_page, address):
    page = open_page(address)
    if address == "/docs":
        page.locator(".opblock").first.wait_for()
    plain = page.evaluate(
        """[...document.querySelectorAll("a[href], button, summary")]
        .filter((one) => !one.disabled && one.offsetParent && getComputedStyle(one).cursor !== "pointer")
        .map((one) => one.outerHTML)"""
    )
    assert plain == []
    if address != "/docs":
        colours = [
            page.locator(one).first.evaluate("(one) => getComputedStyle(one).color")
            for one in ("button.title", ".acts a")
        ]
        assert colours[0] == colours[1], "a title has the colour of links"


def test_pictures_that_do_not_load_leave_no_broken_icon(browser, start, copy_shop):
    from dataclasses import replace

    from poise.project import Project

    folder = copy_shop()
    store = Project(folder).open_store()
    described = store.setting("catalogue")
    store.set("catalogue", {**described, "item_kinds": {**described["item_kinds"], "cover": "image"}}).result()
    places = ["http://127.0.0.1:9/gone.jpg", "covers/none.png", "covers/broken.png", "", None]
    items = [
        replace(item, content={**item.content, "cover": places[at % 5]}) for at, item in enumerate(store.all_items())
    ]
    store.put_items(items).result()
    store.close()
    (folder / "covers").mkdir()
    (folder / "covers" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    context = browser.new_context(base_url=start(folder).url)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for address in ("/", "/?user=u00"):
        page.goto(address, wait_until="networkidle")
        assert page.locator("img, object, svg image").count() == 0, "what could show a broken icon"
        assert page.locator(".picture").count() >= 24
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "http://127.0.0.1:9/gone.jpg" in asked
    assert not [address for address in asked if "none.png" in address]
    context.close()


def test_a_click_without_a_user_makes_a_guest(open_page):
    page = open_page()
    page.locator("#catalogue button.title").first.click()
    page.get_by_role("status").wait_for()
    assert "guest-" in page.get_by_role("heading", level=1).inner_text()
    assert len(history(page)) == 1


def test_a_known_user_with_another_run_beside(open_page):
    page = open_page()
    page.locator(".people a").last.click()
    page.wait_for_url("**/?user=u**")
    assert len(history(page)) > 1
    assert len(slate(page, 0)) == len(slate(page, 1)) == 10
    other = slate(page, 1)
    page.get_by_label("Compare with").select_option("popular")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**with=popular**")
    assert slate(page, 1) != other
    page.get_by_label("Another user").fill("u07")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**user=u07**")
    assert page.get_by_role("heading", level=1).inner_text() == "User u07"
    assert page.get_by_label("Compare with").input_value() == "popular", "the choice stays"


def test_the_page_works_by_keyboard(open_page):
    page = open_page("/?user=keyboard")

    def focused() -> str:
        return str(page.evaluate("document.activeElement.innerText || document.activeElement.name || ''")).strip()

    page.keyboard.press("Tab")
    assert focused() == "Skip to the content"
    assert page.get_by_text("Skip to the content").bounding_box()["width"] > 50, "it shows once it is reached"
    page.keyboard.press("Enter")
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(focused())
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", f"it shows where the keyboard is: {seen[-1]}"
        if seen[-1].startswith("View"):
            break
    assert seen[:3] == ["user", "Show", "begin as somebody new"]
    title = seen[-1].removeprefix("View").strip()
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text(f"Viewed {title}").wait_for()
    assert history(page) == [f"{title} viewed · just now"]
    for _ in range(4):  # on from the slates, not from the top of the page
        page.keyboard.press("Tab")
        if focused().startswith("View"):
            break
    page.keyboard.press("Tab")
    assert focused().startswith("Like")
    page.keyboard.press("Space")
    page.get_by_role("status").get_by_text("Liked").wait_for()
    assert len(history(page)) == 2


def test_every_control_has_an_accessible_name(open_page):
    page = open_page("/?user=u00")
    nameless = page.evaluate(
        """[...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")]
        .filter((one) => !(one.innerText.trim() || one.labels?.length)).map((one) => one.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.lang") == "en"
    twice = page.evaluate(
        """[...document.querySelectorAll("[id]")].map((one) => one.id)
        .filter((id, at, all) => all.indexOf(id) !== at)"""
    )
    assert twice == []


@pytest.mark.parametrize(
    ("scheme", "addresses"),
    [("light", ["/", "/?user=guest-1&q=sea", f"/?user={'x' * 200}"]), ("dark", ["/?user=u00"])],
)
def test_the_page_fits_every_width(open_page, scheme, addresses):
    for address in addresses:
        page = open_page(address, color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (address, width)
            small = page.evaluate(
                """[...document.querySelectorAll("button, summary, select")]
                .filter((one) => one.getBoundingClientRect().height < 20).map((one) => one.outerHTML)"""
            )
            assert small == [], "a finger hits it"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(open_page, scheme):
    """Text stands out from the paper by at least the 4.5 to 1 of WCAG 2.2, AA."""
    page = open_page("/?user=u00", color_scheme=scheme)
    faint = page.evaluate(
        """() => {
          const light = (color) => {
            const [r, g, b] = color.match(/[\\d.]+/g).map((one) => one / 255)
              .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const paper = light(getComputedStyle(document.body).backgroundColor);
          return [...document.querySelectorAll("body *")]
            .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
            .map((one) => [light(getComputedStyle(one).color), one.outerHTML])
            .map(([ink, text]) => [(Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05), text])
            .filter(([contrast]) => contrast < 4.5);
        }"""
    )
    assert faint == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background))) < 200) == (scheme == "dark")


def test_the_api_is_documented_and_can_be_tried(server, open_page):
    page = open_page("/", viewport={"width": 1280, "height": 800})
    page.get_by_role("link", name="API").click()
    page.locator(".opblock").first.wait_for()
    described = server.client.get("/openapi.json").json()["paths"]
    assert page.locator(".opblock").count() == sum(map(len, described.values()))
    page.locator("#operations-Recommendations-recommend .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.locator(".live-responses-table").get_by_text("request_id").first.wait_for()
    for width in (390, 768, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width


@pytest.fixture
def locked_page(browser, start, copy_shop):
    """Return a page of a server with keys, and a key that reads."""
    from poise.project import Project

    folder = copy_shop()
    with Project(folder).open_store() as store:
        key = store.create_key("test", ["read"])[1]
    context = browser.new_context(base_url=start(folder, is_open=False).url)
    yield context.new_page(), key
    context.close()


def test_the_api_is_tried_with_a_key(locked_page):
    page, key = locked_page
    page.goto("/docs")
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".modal-ux input").fill(key)
    page.locator(".modal-ux").get_by_role("button", name="Apply credentials").click()
    page.locator(".modal-ux .btn-done").click()
    page.locator("#operations-Recommendations-popularItems .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.locator(".live-responses-table").get_by_text("Sea story").or_(
        page.locator(".live-responses-table").get_by_text("Moon story")
    ).first.wait_for()


def test_a_key_is_asked_for(locked_page):
    page, key = locked_page
    page.goto("/")
    page.get_by_label("Key").fill("poise_wrong_key")
    page.get_by_role("button", name="Enter").click()
    assert page.get_by_role("alert").inner_text() == "The API key is not known, or was revoked."
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Enter").click()
    assert page.get_by_text("Sea story").first.is_visible()
    assert page.evaluate("document.cookie") == "", "no script can read the key"
    page.get_by_role("button", name="Forget the key").click()
    assert page.get_by_label("Key").is_visible()
