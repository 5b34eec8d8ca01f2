"""What a page of another site, open in the same browser, gets of all that is served: nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asgi import ask
from tests.team import KEEPER, METHODS, PASSWORD, READERS, Team, home, team

pytestmark = pytest.mark.slow

FIRST, _ = READERS


FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:1"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
    {"host": "evil.example"},
    {"host": "evil.example", "origin": "http://evil.example", "sec-fetch-site": "same-origin"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_no_other_site_reaches_anything(team: Team, headers: dict[str, str]) -> None:
    sent = {**team.host, **team.log_in(KEEPER), **headers}
    before = team.on_disk()
    for path in team.paths:
        for method in METHODS:
            pairs = {**sent, "access-control-request-method": method}
            answered = ask(team.app, path, method=method, headers=pairs, pieces=[b"{}"])
            assert answered.status == 403, (method, path)
            assert not [name for name in answered.headers if name.startswith("access-control")]
    assert team.on_disk() == before


@pytest.mark.parametrize(
    "type_", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]
)
def test_the_form_of_another_site_does_nothing(team: Team, type_: str) -> None:
    cookie = team.log_in(KEEPER)
    before = team.on_disk()
    with team.client() as client:
        for path in ("/api/index", "/api/documents", "/logout", "/gradio_api/queue/join", "/login"):
            answered = client.post(
                path,
                content=f"username={KEEPER}&password={PASSWORD}",
                headers={**cookie, "origin": "https://evil.example", "content-type": type_},
            )
            assert answered.status_code == 403
            assert "set-cookie" not in answered.headers
        assert client.get("/config", headers=cookie).status_code == 200  # still logged in
    assert team.on_disk() == before


def test_no_answer_lets_another_origin_read_it_or_frame_it(team: Team) -> None:
    own = team.address
    cookie = team.log_in(FIRST)
    paths = [path for path in team.paths if "heartbeat" not in path]
    with team.client(**cookie, origin=own) as client:
        for path in [*paths, "/no", "/api/no", "/assets/no.js"]:
            if path in ("/gradio_api/queue/data", "/gradio_api/upload_progress"):
                continue  # streams
            answered = client.get(path)
            assert answered.headers.get("access-control-allow-origin") in (None, own), path
            assert answered.headers["x-frame-options"] == "DENY"
            policy = answered.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy
            assert "base-uri " in policy
            assert answered.headers["x-content-type-options"] == "nosniff"
