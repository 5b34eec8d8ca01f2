"""Two copies of a served chat, with their conversations in one place: one of them is killed.

The index, the users and the conversations are shared; what a copy keeps in memory goes with it. A
relay does what a proxy would: it keeps a client on one copy as long as that is there.
"""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from index.build import build
from models.paths import users_file
from serve.accounts import Accounts
from tests.browser import find_browser, open_browser
from tests.copies import PORT, Copy, started
from tests.fakes import WordEmbedder
from tests.postgres import PASSWORD as DATABASE_PASSWORD
from tests.postgres import Cluster, postgres
from tests.readers import Tab, ask_while_one_is_killed, client_of, turns_of
from tests.relay import relay
from tests.slow_server import NAMES, question, report, said, slow_question
from tests.test_accounts import QUICK
from ui.history import History

pytestmark = pytest.mark.real

PASSWORD = "a long enough phrase"
READERS = [f"desk-{number}" for number in range(20)]
QUESTIONS = 4
"""Of each reader."""

ANSWERS = {question(name): said(name, 100 + at) for at, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with postgres() as cluster:
        yield cluster


@pytest.fixture(params=["file", "postgres"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path | str:
    """Of the conversations."""
    if request.param == "file":
        return tmp_path / "conversations.sqlite"
    monkeypatch.setenv("FOOTNOTE_DATABASE_PASSWORD", DATABASE_PASSWORD)
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.new_database()


on_postgres = pytest.mark.parametrize("place", ["postgres"], indirect=True)


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    """An index, and the readers, each with a token; the first has a password, too."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for at, name in enumerate(NAMES):
        (folder / f"{name}.txt").write_text(report(name, 100 + at).text)
    build(folder, embedder=WordEmbedder())
    accounts = Accounts(users_file(), hasher=QUICK)
    for name in READERS:
        accounts.add(name, PASSWORD if name == READERS[0] else None)
    return {name: accounts.new_token(name) for name in READERS}


@contextmanager
def copies(place: Path | str, *, number: int = 2, pause: float = 0.02) -> Iterator[list[Copy]]:
    """That many, which answer; ``pause`` is what each word of an answer takes."""
    more = [str(place), str(pause)]
    with started([["-m", "tests.copy_server", PORT, *more]] * number) as begun:
        yield begun


def is_drawn(asked: str, shown: str) -> None:
    assert ANSWERS[asked] in shown


def is_answer(asked: str, record: dict[str, Any]) -> None:
    assert record["text"] == ANSWERS[asked]
    assert [one["quote"] for one in record["citations"]] == [ANSWERS[asked]]


def kept_of(place: Path | str, name: str) -> list[tuple[str, str, str]]:
    """Question, stage and text of every turn that is kept of that reader."""
    return [(one.question, one.stage, one.text) for one in turns_of(place, name)]


def test_one_of_two_is_killed_and_nothing_is_lost(
    place: Path | str, tokens: dict[str, str]
) -> None:
    with copies(place) as both:
        on_page, by_api = ask_while_one_is_killed(
            both,
            [tokens[name] for name in READERS],
            QUESTIONS,
            after=20,
            seconds=(120, 240),
            on_page=is_drawn,
            of_api=is_answer,
        )

    readers = [*on_page, *by_api]
    for one in readers:
        assert len(one.answered) == QUESTIONS
    # Whoever was on the copy that stayed has noticed nothing.
    assert {one.broken for at, one in enumerate(readers) if at % 2 == 1} == {0}
    assert all(
        sum(one.broken for at, one in enumerate(some) if at % 2 == 0) >= 3
        for some in (on_page, by_api)
    )
    for name, one in zip(READERS, on_page, strict=False):
        kept = kept_of(place, name)
        assert {asked for asked, _, _ in kept} >= set(one.taken)
        for asked, stage, text in kept:
            assert asked in one.taken
            if stage == "answered":
                assert text == ANSWERS[asked]
            else:
                assert stage == "stopped"
                assert ANSWERS[asked].startswith(text.strip())
        assert {asked for asked, stage, _ in kept if stage == "answered"} == set(one.answered)


@on_postgres
def test_the_chat_goes_on_without_its_database(
    place: str, tokens: dict[str, str], cluster: Cluster
) -> None:
    one, two, three = list(ANSWERS)[:3]
    with (
        copies(place, number=1) as [copy],
        client_of(f"http://127.0.0.1:{copy.port}", tokens["desk-1"]) as client,
    ):
        tab = Tab(client)
        id_ = tab.take(one)
        assert ANSWERS[one] in tab.finish()
        assert not tab.warnings
        cluster.stop()
        try:
            assert tab.take(two) == id_
            assert ANSWERS[two] in tab.finish()
        finally:
            cluster.start()
        assert tab.warnings
        assert all("Connection refused" in warning for warning in tab.warnings)
        assert all(DATABASE_PASSWORD not in warning for warning in tab.warnings)
        tab.warnings.clear()
        assert tab.take(three) == id_
        assert ANSWERS[three] in tab.finish()
        assert not tab.warnings
    kept = [(asked, "answered", ANSWERS[asked]) for asked in (one, two, three)]
    assert kept_of(place, "desk-1") == kept


@pytest.mark.parametrize(
    "goes_on",
    [False, True],
)
def test_a_page_that_meets_another_copy_loses_nothing(
    goes_on: bool, tmp_path: Path, tokens: dict[str, str]
) -> None:
    """Only the copy that a tab began with knows what it shows.

    To another one it is a new tab, unless the browser says which conversation is open in it.
    """
    place = tmp_path / "conversations.sqlite"
    one, two, three = list(ANSWERS)[:3]
    with copies(place) as (first, second), client_of("", tokens["desk-1"]) as client:

        def at(copy: Copy, id_: str = "") -> None:
            client.base_url = httpx.URL(f"http://127.0.0.1:{copy.port}")
            if goes_on:
                client.headers["Referer"] = f"{client.base_url}?conversation={id_}"

        at(first)
        tab, cut = Tab(client), Tab(client)
        id_ = tab.take(one)
        assert ANSWERS[one] in tab.finish()
        at(second, id_)
        other = tab.take(two)
        assert ANSWERS[two] in tab.finish()
        assert Tab(client).open(id_).count(ANSWERS[one]) >= 1
        assert (other == id_) == goes_on

        at(first)
        begun = cut.take(three)
        at(second, begun)
        if goes_on:  # the page is told how it stands, and can be used
            shown = cut.finish()
            assert three in shown
            assert "Stopped." in shown
    with closing(History(place, name="default", owner="desk-1")) as history:
        assert {kept.id for kept in history.find()} == {id_, other, begun}
        titles = {kept.id: kept.title for kept in history.find()}
    assert (titles[id_], titles[begun]) == (one, three)


# In a browser


@pytest.mark.skipif(
    find_browser() is None, reason="no browser: install chromium, or name one in FOOTNOTE_BROWSER"
)
@on_postgres
def test_a_page_whose_copy_is_killed_comes_back_with_its_conversation(
    place: str, tokens: dict[str, str], tmp_path: Path
) -> None:
    executable = find_browser()
    assert executable
    with (
        copies(place, pause=0.05) as (first, second),
        relay(first.port, second.port) as proxy,
        open_browser(executable, tmp_path / "profile") as browser,
    ):
        page = browser.new_page()
        page.goto(proxy.address)
        page.get_by_label("Name").fill(READERS[0])
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        box = page.get_by_label("Your question")
        box.fill(question("Maple"))
        box.press("Enter")
        page.locator("article[aria-busy=false]").wait_for()
        page.get_by_role("button", name="Ask", exact=True).wait_for()
        address = page.url
        assert re.fullmatch(rf"{proxy.address}/\?conversation=[0-9a-f]{{16}}", address)
        box.fill(slow_question("Cedar"))
        box.press("Enter")
        page.locator("article[aria-busy=true]", has_text="counted 102 boats").wait_for()

        first.kill()
        # The page looks for its server every two seconds or so, finds another, and loads itself.
        page.locator("article", has_text="Stopped.").wait_for(timeout=30_000)
        assert page.url == address
        articles = page.locator("article")
        assert articles.count() == 2
        assert said("Maple", 105) in articles.first.inner_text()
        assert slow_question("Cedar") in page.locator("body").inner_text()

        page.reload()
        page.locator("article", has_text="Stopped.").wait_for()
        assert page.url == address  # without logging in again
        page.get_by_role("link", name="Footnote 1").first.click()
        page.locator("#shown").wait_for()
        box.fill(question("Hazel"))
        box.press("Enter")
        page.locator("article", has_text=said("Hazel", 106)).wait_for()
        page.get_by_role("button", name="Ask", exact=True).wait_for()
        assert page.url == address
    kept = kept_of(place, READERS[0])
    assert [(asked, stage) for asked, stage, _ in kept] == [
        (question("Maple"), "answered"),
        (slow_question("Cedar"), "stopped"),
        (question("Hazel"), "answered"),
    ]
