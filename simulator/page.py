"""The page for people: phones with the messages, credit, faults, requests."""

from importlib.resources import files

from aiohttp import web

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-store",
}
_FOLDER = files(__package__).joinpath("static")
_FILES = {
    path: (_FOLDER.joinpath(name).read_text(encoding="utf-8"), content_type)
    for path, name, content_type in (
        ("/", "page.html", "text/html"),
        ("/page.css", "page.css", "text/css"),
        ("/page.js", "page.js", "text/javascript"),
    )
}


def add_page(app: web.Application) -> None:
    """Serve the page, its style and its script."""
    for path in _FILES:
        app.router.add_get(path, _serve)


async def _serve(request: web.Request) -> web.Response:
    """Serve one of the files."""
    text, content_type = _FILES[request.path]
    return web.Response(text=text, content_type=content_type, headers=_HEADERS)
