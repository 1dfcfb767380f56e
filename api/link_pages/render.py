"""The pages as HTML. They hold nothing of anybody: the secret stands in the fragment, which only the browser reads."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from identity.passwords import MAX_LENGTH, MIN_LENGTH


@dataclass(frozen=True, slots=True)
class LinkPage:
    """``posts_to`` gets the secret, and what is asked for: a new password, and whose it will be. A person presses
    ``act`` first: programs that look into mails follow links, too."""

    path: str
    title: str
    why: str
    act: str
    done: str
    posts_to: str
    asks_password: bool = False
    asks_name: bool = False


PAGES: Sequence[LinkPage] = (
    LinkPage(
        path="/verify-email",
        title="Confirm your e-mail address",
        why="This confirms that mail to this address reaches you.",
        act="Confirm this address",
        done="Your e-mail address is confirmed. You can close this page.",
        posts_to="/v1/auth/verify-email",
    ),
    LinkPage(
        path="/change-email",
        title="Use your new e-mail address",
        why="From then on you sign in with this address, and mail about your account comes here.",
        act="Use this address",
        done="Your account has this e-mail address now. You can close this page.",
        posts_to="/v1/users/me/email/verify",
    ),
    LinkPage(
        path="/reset-password",
        title="Choose a new password",
        why="Every device that is signed in to your account will be signed out.",
        act="Choose this password",
        done="Your password is changed. Sign in with the new one.",
        posts_to="/v1/auth/reset-password",
        asks_password=True,
    ),
    LinkPage(
        path="/first-admin",
        title="Become the first admin",
        why="This server has no admin yet. Make the account that is to be it.",
        act="Become the admin",
        done="You are the admin of this server now. Sign in with this account.",
        posts_to="/v1/auth/first-admin",
        asks_password=True,
        asks_name=True,
    ),
)

_NAME = (
    "<label for=email>E-mail address</label><input id=email name=email type=email autocomplete=email required>"
    "<label for=username>Username</label><input id=username name=username autocomplete=username required>"
)
_PASSWORD = (
    "<label for=password>New password</label>"
    "<input id=password name=password type=password autocomplete=new-password required"
    f" minlength={MIN_LENGTH} maxlength={MAX_LENGTH} aria-describedby=hint>"
    f"<small id=hint>At least {MIN_LENGTH} characters; several words make a good one.</small>"
    "<label class=show><input id=show type=checkbox> Show it</label>"
)


def asset(name: str) -> bytes:
    return resources.files(__package__).joinpath(name).read_bytes()


def render(page: LinkPage) -> str:
    fields = (_NAME if page.asks_name else "") + (_PASSWORD if page.asks_password else "")
    fields = fields.replace("<input", "<input autofocus", 1)
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'><meta name=robots content=noindex>"
        f"<title>{_text(page.title)} · SecureConnect</title><link rel=icon href='data:,'>"
        "<link rel=stylesheet href='/links/style.css'><script src='/links/script.js' defer></script></head>"
        f"<body><main><p class=brand>SecureConnect</p><h1>{_text(page.title)}</h1><p>{_text(page.why)}</p>"
        f"<form method=post data-path='{_text(page.posts_to)}' data-done='{_text(page.done)}'>"
        f"{fields}<button>{_text(page.act)}</button></form>"
        "<p id=outcome role=status tabindex=-1></p>"
        "<noscript><p class=bad>This page needs JavaScript: it alone can read the secret in the link.</p></noscript>"
        "</main></body></html>"
    )


def _text(text: str) -> str:
    return html.escape(text, quote=True)
