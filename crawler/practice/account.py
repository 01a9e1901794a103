"""What needs a login: a form with CSRF token and cookie, pages for members, basic and bearer."""

import base64
import hmac
from html import escape

from aiohttp import web

from crawler.practice.layout import page
from crawler.practice.middlewares import COOKIE, SESSION, open_session
from crawler.practice.state import STATE, Session

USER, PASSWORD = "reader", "lighthouse"
BEARER_TOKEN = "practice-token"

LETTERS = {
    1: ("To whoever has the key", "You found the form, its hidden token and the cookie. Come in."),
    2: ("About the weather", "Nothing happened today. I wrote it down, so that it stays so."),
    3: ("A last letter", "When you leave, press the button: doors like to be closed by hand."),
}


def routes() -> list[web.RouteDef]:
    return [
        web.get("/login", form),
        web.post("/login", log_in),
        web.post("/logout", log_out),
        web.get("/members/", members),
        web.get(r"/members/letters/{number:\d{1,9}}/", letter),
        web.get("/auth/basic/", basic),
        web.get("/auth/bearer/", bearer),
    ]


async def form(request: web.Request) -> web.Response:
    """The form; a new visitor gets a session, whose token the form must send back."""
    visitor: Session | None = request.get(SESSION)
    opened = visitor or Session()
    response = _form(opened, request.query.get("next", "/members/"))
    if visitor is None:
        open_session(request.app[STATE], response, opened)
    return response


async def log_in(request: web.Request) -> web.Response:
    """303 to `next` with a new cookie, so that a cookie from before the login is worth nothing."""
    visitor: Session | None = request.get(SESSION)
    fields = await request.post()
    if visitor is None or not _same(visitor.csrf_token, fields.get("csrf_token")):
        raise web.HTTPForbidden(text="The form has run out: its token is not the session's.")
    target = _inside(fields.get("next"))
    if not (_same(USER, fields.get("user")) and _same(PASSWORD, fields.get("password"))):
        return _form(visitor, target, "This user and password do not belong together.")
    response = web.Response(status=303, headers={"Location": target})
    request.app[STATE].sessions.pop(request.cookies[COOKIE], None)
    open_session(request.app[STATE], response, Session(user=USER))
    return response


async def log_out(request: web.Request) -> web.Response:
    visitor: Session | None = request.get(SESSION)
    fields = await request.post()
    if visitor is None or not _same(visitor.csrf_token, fields.get("csrf_token")):
        raise web.HTTPForbidden(text="Leaving takes the token of the session, too.")
    request.app[STATE].sessions.pop(request.cookies[COOKIE], None)
    response = web.Response(status=303, headers={"Location": "/"})
    response.del_cookie(COOKIE, path="/")
    return response


async def members(request: web.Request) -> web.Response:
    member = _member(request)
    rows = "".join(
        f'<li><a href="/members/letters/{number}/">{subject}</a></li>'
        for number, (subject, _) in LETTERS.items()
    )
    return page(
        "Letters to members",
        f"""<p class="welcome">Welcome, {escape(member.user or "")}.</p>
<ul class="letters">{rows}</ul>
<form id="logout" method="post" action="/logout">
<input type="hidden" name="csrf_token" value="{member.csrf_token}">
<button type="submit">Log out</button>
</form>""",
        headers={"Cache-Control": "private, no-store"},
    )


async def letter(request: web.Request) -> web.Response:
    _member(request)
    number = int(request.match_info["number"])
    if number not in LETTERS:
        raise web.HTTPNotFound
    subject, text = LETTERS[number]
    back = '<p><a href="/members/">All letters</a></p>'
    return page(subject, f'<p class="letter">{text}</p>\n{back}')


async def basic(request: web.Request) -> web.Response:
    """Basic authentication (RFC 7617)."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic" or not _same(f"{USER}:{PASSWORD}", _decoded(encoded)):
        _refuse('Basic realm="harbour", charset="UTF-8"')
    return page("The inner harbour", '<p class="secret">Opened with a name and a password.</p>')


async def bearer(request: web.Request) -> web.Response:
    """Bearer token (RFC 6750)."""
    if not _same(f"Bearer {BEARER_TOKEN}", request.headers.get("Authorization")):
        _refuse('Bearer realm="harbour"')
    return page("The customs shed", '<p class="secret">Opened with a token.</p>')


def _form(visitor: Session, target: str, error: str = "") -> web.Response:
    shown = f'<p class="error">{escape(error)}</p>' if error else ""
    return page(
        "Login",
        f"""{shown}
<form id="login" method="post" action="/login">
<input type="hidden" name="csrf_token" value="{visitor.csrf_token}">
<input type="hidden" name="next" value="{escape(target)}">
<label>User <input type="text" name="user" autocomplete="username"></label>
<label>Password <input type="password" name="password" autocomplete="current-password"></label>
<button type="submit">Log in</button>
</form>
<p class="hint">The user is <code>{USER}</code>, the password <code>{PASSWORD}</code>.</p>""",
        status=403 if error else 200,
        headers={"Cache-Control": "no-store"},
    )


def _member(request: web.Request) -> Session:
    visitor: Session | None = request.get(SESSION)
    if visitor is None or visitor.user is None:
        raise web.HTTPFound(f"/login?next={request.path}")
    return visitor


def _inside(target: object) -> str:
    """`target` where it is a path of this site; any other becomes the members' page."""
    if isinstance(target, str) and target.startswith("/") and not target.startswith(("//", "/\\")):
        return target
    return "/members/"


def _same(secret: str, given: object) -> bool:
    """Compare in a time that says nothing about where the two differ."""
    return isinstance(given, str) and hmac.compare_digest(secret.encode(), given.encode())


def _decoded(text: str) -> str | None:
    """The text behind Base64, or None if it is no Base64 of UTF-8."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return None


def _refuse(challenge: str) -> None:
    raise web.HTTPUnauthorized(
        text="This door wants to see a key.", headers={"WWW-Authenticate": challenge}
    )
