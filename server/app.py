"""The web application: a page, its scripts, Pyodide, the engine, the models. All is read-only.

| path                                  | what                                                        |
|---------------------------------------|-------------------------------------------------------------|
| /                                     | the page, from templates/index.html.j2                      |
| /app/*, /worker/*                     | web/app, web/worker                                         |
| /samples/*                            | web/samples: recordings to try, samples.json says which     |
| /pyodide/*                            | web/node_modules/pyodide                                    |
| /engine/voxtab.zip, /engine/engine.json | web/build, made by `python -m server.engine_build`        |
| /api/models, /models/ID/FILE          | see server/registry.py                                      |
| /api/health                           | {"ok": true, "version"}                                     |
"""

import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from server.assets import Assets
from server.engine_build import ENGINE_INFO, ENGINE_ZIP, WEB
from server.models import Models
from server.security import SECURITY_HEADERS, KnownHosts, SecurityHeaders, error_response
from voxtab import __version__
from voxtab.errors import VoxtabError

TEMPLATES = Path(__file__).resolve().parent / "templates"
PAGE = "index.html.j2"
# Loopback's names; what else is allowed depends on the certificate.
LOOPBACK_NAMES = ("localhost", "*.localhost")


def own_models(web: Path = WEB) -> list[Path]:
    """Folders of models that come with voxtab: the one that holds demo-asr."""
    return [web / "models"]


def check_built(web: Path = WEB, templates: Path = TEMPLATES) -> None:
    """Raises VoxtabError naming the first thing the page cannot do without and that is not there."""
    needed = {
        templates / PAGE: "the page's template",
        web / "node_modules" / "pyodide" / "pyodide.mjs": "Pyodide",
        web / "build" / ENGINE_ZIP: "the engine's bundle",
        web / "build" / ENGINE_INFO: "the engine's description",
    }
    for path, what in needed.items():
        if not path.is_file():
            raise VoxtabError("internal", f"{what.capitalize()} is missing: {path}.", "Run: make serve")


def create_app(
    models_dirs: Sequence[Path],
    *,
    names: Iterable[str] = (),
    web: Path = WEB,
    templates: Path = TEMPLATES,
) -> Starlette:
    """The application, offering the models below `models_dirs` (see own_models).

    `names` are host names it answers to besides localhost and bare addresses. Tests replace `web` and
    `templates`.
    """
    models = Models(models_dirs)
    folders = {
        "app": Assets(web / "app"),
        "worker": Assets(web / "worker"),
        "samples": Assets(web / "samples"),
        "pyodide": Assets(web / "node_modules" / "pyodide"),
        "engine": Assets(web / "build", only=frozenset({ENGINE_ZIP, ENGINE_INFO})),
    }
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates), autoescape=True, undefined=jinja2.StrictUndefined
    )

    def page(_request: Request) -> Response:
        html = pages.get_template(PAGE).render(version=__version__)
        return HTMLResponse(html, headers={"cache-control": "no-cache"})

    def health(_request: Request) -> Response:
        return JSONResponse({"ok": True, "version": __version__}, headers={"cache-control": "no-store"})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        threading.Thread(target=_warm, args=(list(folders.values()),), daemon=True).start()
        yield

    return Starlette(
        routes=[
            Route("/", page),
            Route("/api/health", health),
            Route("/api/models", models.listing),
            Route("/models/{model}/{file:path}", models.file),
            *(Route(f"/{name}/{{path:path}}", assets.__call__) for name, assets in folders.items()),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(KnownHosts, names=[*LOOPBACK_NAMES, *names]),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _internal_error},
        lifespan=lifespan,
    )


def _warm(folders: list[Assets]) -> None:
    for assets in folders:
        assets.warm()


def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = error_response(error.status_code, "internal", f"{error.detail}.")
    response.headers.update(error.headers or {})
    return response


def _internal_error(_request: Request, _error: Exception) -> Response:
    # Starlette answers these outside all middleware.
    response = error_response(500, "internal", "The server failed to answer.", "Its terminal says why.")
    response.headers.update(SECURITY_HEADERS)
    return response
