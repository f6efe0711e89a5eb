"""What a page may run: its own files, and the scripts that stand in it, each named by its hash."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

from tests.backend.lab import lab


class InlineScripts(HTMLParser):
    """Gathers every script that stands in a page, as an element or as a handler."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        is_data = named.get("type") == "application/json"
        self._inside = tag == "script" and "src" not in named and not is_data
        self.found += [value for name, value in attrs if name.startswith("on") and value]

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found.append(data)


def hash_of(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


async def test_scripts_that_stand_in_a_page_are_allowed_one_by_one_and_no_others(tmp_path: Path) -> None:
    async with lab(tmp_path, with_page=True) as it:
        for path in ("/", "/runs", "/claims"):
            answer = await it.http.get(path)
            assert answer.status_code == 200, path
            policy = answer.headers["content-security-policy"]
            allowed = next(part for part in policy.split("; ") if part.startswith("script-src "))
            assert "'unsafe-inline'" not in allowed
            assert "'unsafe-eval'" not in allowed
            parser = InlineScripts()
            parser.feed(answer.text)
            assert parser.found, path
            assert [script for script in parser.found if hash_of(script) not in allowed] == [], path
        api = (await it.http.get("/api/runs")).headers["content-security-policy"]
        assert "script-src 'self';" in api


async def test_styles_that_stand_in_a_page_count_only_with_the_nonce_of_that_answer(tmp_path: Path) -> None:
    async with lab(tmp_path, with_page=True) as it:
        nonces = set()
        for path in ("/", "/runs", "/claims", "/docs", "/nowhere"):
            answer = await it.http.get(path, headers={"accept": "text/html"})
            policy = answer.headers["content-security-policy"]
            allowed = next(part for part in policy.split("; ") if part.startswith("style-src "))
            (nonce,) = re.findall("^style-src 'self' 'nonce-([A-Za-z0-9_-]{22})'$", allowed)
            nonces.add(nonce)
            assert "style=" not in answer.text, path
            assert "<style" not in answer.text.replace(f'<style nonce="{nonce}"', ""), path
            assert "unsafe-inline" not in policy
        assert len(nonces) == 5
        api = (await it.http.get("/api/runs")).headers["content-security-policy"]
        assert "style-src 'self';" in api


async def test_files_of_a_server_are_for_its_user_alone(tmp_path: Path) -> None:
    (tmp_path / "worker.token").write_text("a-long-enough-token-of-workers")
    (tmp_path / "worker.token").chmod(0o666)
    async with lab(tmp_path, worker_token=None):
        assert (tmp_path / "worker.token").stat().st_mode & 0o777 == 0o600


async def test_a_new_token_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("untouched")
    (tmp_path / "worker.new").symlink_to(tmp_path / "elsewhere")
    async with lab(tmp_path, worker_token=None):
        assert (tmp_path / "elsewhere").read_text() == "untouched"
        assert len((tmp_path / "worker.token").read_text()) > 16
