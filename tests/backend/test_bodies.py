"""What may be sent in one request: bytes of every body, edits of a recipe, letters of a drawing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from backend.web.bounds import MAX_BODY_BYTES, MAX_CONTROL_BYTES
from backend.web.reference import described
from tests.backend.lab import lab

JSON = {"content-type": "application/json"}


async def test_every_body_is_bounded_in_bytes_whatever_it_says_of_its_length(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        run_id = await it.new_run()
        asked = [
            (verb.upper(), path.replace("{run_id}", run_id).replace("{", "").replace("}", ""))
            for path, verbs in described(it.app)["paths"].items()
            for verb in verbs
            if verb in ("post", "patch", "put", "delete")
        ]
        assert ("POST", "/api/runs") in asked
        assert len(asked) > 10
        for verb, path in asked:
            most = MAX_BODY_BYTES if path == "/api/runs" else MAX_CONTROL_BYTES
            too_much = b'"' + b"x" * (most - 1) + b'"'

            async def piece_by_piece(content: bytes = too_much) -> AsyncIterator[bytes]:
                for at in range(0, len(content), 500):
                    yield content[at : at + 500]

            for content in (too_much, piece_by_piece()):
                answer = await it.http.request(verb, path, content=content, headers=JSON)
                sentence = f"The body must have at most {most} bytes. Found more."
                assert (answer.status_code, answer.json()) == (413, {"error": sentence}), (verb, path)
        just = await it.http.post("/api/runs", content=b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"', headers=JSON)
        assert just.status_code == 422, "a body of just that size is read"
        assert len((await it.http.get("/api/runs")).json()) == 1


async def test_a_recipe_has_so_many_edits_and_no_more(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        edits = [{"step": step, "controls": {"p_drop": 0.2}} for step in range(101)]
        refused = await it.http.post("/api/runs", json={"preset": "live", "edits": edits})
        assert refused.status_code == 422
        assert refused.json()["error"].startswith("edits must be at most 100 objects of step and controls")
        assert (await it.http.post("/api/runs", json={"preset": "live", "edits": edits[:100]})).status_code == 201


async def test_a_drawing_that_is_longer_than_an_address_may_be_is_not_read(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        run_id = await it.new_run()
        refused = await it.http.get(f"/api/runs/{run_id}/probe?image={'A' * 4100}")
        assert refused.status_code == 414
        assert refused.json()["error"] == "The address must have at most 4096 bytes. Found more."
