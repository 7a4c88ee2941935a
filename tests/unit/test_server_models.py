"""The models' list over HTTP, and entity tags that are made from content."""

import asyncio
import os
from collections.abc import Iterator, MutableMapping
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from server.digests import Claim, Digests, Signature
from server.files import PIECE_BYTES, OpenFile, answer
from tests.unit.server_site import Site, running_site, sha256, write, write_shards

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path) as site:
        yield site


def listed(site: Site) -> dict[str, Any]:
    return {model["id"]: model for model in site.ask("/api/models").json()["models"]}


def test_every_listed_url_gives_the_bytes_it_promises(site: Site) -> None:
    write_shards(site.models / "words", CONTENT, 3)
    write(site.models / "bare" / "shard-aa", CONTENT)
    write(site.models / "odd name %41 #1?.gguf", CONTENT)
    for model in listed(site).values():
        bodies = [site.ask(file["url"]).body for file in model["files"]]
        assert b"".join(bodies) == CONTENT
        assert [len(body) for body in bodies] == [file["bytes"] for file in model["files"]]
        assert sum(len(body) for body in bodies) == model["bytes"]


def test_models_that_come_and_go_are_seen_without_a_restart(site: Site) -> None:
    assert listed(site) == {}
    write_shards(site.models / "words", CONTENT, 1)
    # A page that knows the address does not have to ask for the list first.
    assert site.ask("/models/words/manifest.json").status == 200
    assert list(listed(site)) == ["words"]
    (site.models / "words" / "shard-aa").unlink()
    missing = site.ask("/models/words/shard-aa")
    assert (missing.status, missing.json()["error"]["code"]) == (404, "shard-missing")
    unknown = site.ask("/models/nothing/shard-aa")
    assert (unknown.status, unknown.json()["error"]["code"]) == (404, "model-missing")


def test_what_is_wrong_with_a_model_is_in_the_list(site: Site) -> None:
    write(site.models / "broken" / "shard-ab", "x")
    (problem,) = site.ask("/api/models").json()["problems"]
    assert problem["where"] == "broken"
    assert (problem["code"], "shard-aa" in problem["message"], bool(problem["hint"])) == (
        "shard-missing",
        True,
        True,
    )


def test_tags_are_the_sha256_of_the_bytes_with_and_without_a_manifest(site: Site) -> None:
    write_shards(site.models / "words", CONTENT, 2)
    write(site.models / "one.gguf", CONTENT)
    half = len(CONTENT) // 2
    assert site.ask("/models/words/shard-ab").headers["etag"] == f'"{sha256(CONTENT[half:])}"'
    assert site.ask("/models/one.gguf/one.gguf").headers["etag"] == f'"{sha256(CONTENT)}"'


@pytest.mark.parametrize("folder", ["words", "bare"])
def test_a_flipped_byte_gives_another_tag_even_when_the_time_is_set_back(site: Site, folder: str) -> None:
    write_shards(site.models / folder, CONTENT, 1)
    if folder == "bare":
        (site.models / folder / "manifest.json").unlink()
    site.ask("/api/models")
    path, url = site.models / folder / "shard-aa", f"/models/{folder}/shard-aa"
    before = site.ask(url).headers["etag"]
    times = path.stat()
    altered = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    path.write_bytes(altered)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = site.ask(url, range="bytes=0-3", if_range=before)
    assert (after.status, after.body) == (200, altered)
    assert after.headers["etag"] == f'"{sha256(altered)}"'


def test_a_model_split_anew_under_a_running_server_gets_the_tags_of_its_new_bytes(site: Site) -> None:
    write_shards(site.models / "words", CONTENT, 1)
    site.ask("/api/models")
    other = CONTENT[::-1]
    write_shards(site.models / "words", other, 1)
    # The list was not asked for again, so what the server knows is the old manifest.
    reply = site.ask("/models/words/shard-aa")
    assert (reply.body, reply.headers["etag"]) == (other, f'"{sha256(other)}"')


def test_a_touched_file_keeps_its_tag(site: Site) -> None:
    path = write(site.models / "one.gguf", CONTENT)
    site.ask("/api/models")
    etag = site.ask("/models/one.gguf/one.gguf").headers["etag"]
    os.utime(path, ns=(1, 1))
    assert site.ask("/models/one.gguf/one.gguf", if_none_match=etag).status == 304


def test_a_manifests_digest_is_believed_only_of_an_older_file(tmp_path: Path) -> None:
    path = write(tmp_path / "shard-aa", CONTENT)
    touched = Signature.of(path.stat()).touched_ns
    with path.open("rb") as file:
        assert Digests().sha256(path, file, Claim("claimed", touched + 1)) == "claimed"
        assert Digests().sha256(path, file, Claim("claimed", touched)) == sha256(CONTENT)
        assert Digests().sha256(path, file) == sha256(CONTENT)


def test_a_file_is_hashed_once_for_many_requests(tmp_path: Path) -> None:
    path, digests = write(tmp_path / "a.gguf", CONTENT), Digests()
    with path.open("rb") as file:
        digests.sha256(path, file)
        file.seek(0)
        assert digests.sha256(path, file) == sha256(CONTENT)
        assert file.tell() == 0, "it was read again"


def test_a_file_replaced_while_it_is_sent_goes_on_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gguf", CONTENT)
    content = OpenFile(path.open("rb"), '"tag"')
    write(tmp_path / "b.gguf", CONTENT[::-1]).replace(path)

    async def read() -> bytes:
        return b"".join([piece async for piece in content.stream(0, content.size)])

    assert asyncio.run(read()) == CONTENT


def test_a_file_cut_short_while_it_is_sent_breaks_the_download(site: Site) -> None:
    path = site.models / "big.gguf"
    path.touch()
    os.truncate(path, 64 * PIECE_BYTES)  # more than the sockets between here and there can hold
    address = site.url.split("/")[2].split(":")
    connection = HTTPConnection(address[0], int(address[1]), timeout=20)
    connection.request("GET", "/models/big.gguf/big.gguf")
    response = connection.getresponse()
    assert response.read(1000) == bytes(1000)
    os.truncate(path, PIECE_BYTES)
    with pytest.raises(IncompleteRead):
        response.read()
    connection.close()


def test_when_the_client_leaves_the_file_is_closed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gguf", bytes(8 * PIECE_BYTES))
    file = path.open("rb")
    sent: list[int] = []
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(len(message.get("body", b"")))
        if len(sent) == 3:
            gone.set()
        await asyncio.sleep(0.01)

    scope = {"type": "http", "method": "GET", "headers": [], "path": "/", "query_string": b"", "asgi": {}}
    response = answer(Request(scope), OpenFile(file, '"tag"'), {})
    asyncio.run(response(scope, receive, send))
    assert file.closed
    assert sum(sent) < 8 * PIECE_BYTES
