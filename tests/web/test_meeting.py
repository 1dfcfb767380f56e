"""People meet in the page, in a real Chromium, over a real server that cannot see or hear them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser

from identity.roomtokens import Grants
from media.framekeys import written_secret
from sfu.connection import Connection
from sfu.meeting import Meeting
from sfu.rooms import Mode, Room
from tests.browsing import MEDIA_ARGUMENTS, browser
from tests.signaling.clients import made_room, old_token, token
from tests.web.guests import ADA, BEN, EVE, PATIENCE, Guest, Look, guest, until
from tests.worlds import World, world

# Three browsers encode and decode on the cores that the server has, too.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.blocks_the_loop(reason="browsers keep the process from running, on a machine of two cores"),
]


@dataclass
class Venue:
    """A room of a server that runs, and a browser to come with."""

    here: World
    room: Room
    launched: Browser
    secret: str

    def link(self, who: Look, secret: str | None = None) -> str:
        admission = token(self.here, self.room.id, who.name)
        return f"{self.here.url}/#room={self.room.id}&token={admission}&k={secret or self.secret}"

    async def guest(self, who: Look, secret: str | None = None) -> Guest:
        arrived = await guest(self.launched, self.link(who, secret), who)
        await arrived.joins()
        return arrived


@pytest.fixture
async def venue(tmp_path: Path, chromium: Path) -> AsyncIterator[Venue]:
    async with world(tmp_path) as here, browser(chromium, *MEDIA_ARGUMENTS) as launched:
        room = await made_room(here, mode=Mode.SECURE)
        yield Venue(here, room, launched, written_secret(os.urandom(32)))


async def test_three_people_see_and_hear_each_other(venue: Venue) -> None:
    guests = [await venue.guest(look) for look in (ADA, BEN, EVE)]
    for one in guests:
        for other in guests:
            if one is not other:
                await one.sees(other.look)
                await one.hears(other.look)
    for one in guests:
        names = await one.page.locator(".tile .name").all_text_contents()
        assert sorted(names) == sorted(
            f"{other.look.name.capitalize()}{' (you)' if one is other else ''}" for other in guests
        )
        assert one.window.complaints == []
        assert all(address.startswith((venue.here.url, "ws")) for address in one.window.asked)


async def test_who_has_another_key_sees_hears_and_reads_nothing(venue: Venue) -> None:
    ada, eve = await venue.guest(ADA), await venue.guest(EVE, written_secret(os.urandom(32)))
    await eve.state(ADA, "refused")
    await ada.state(EVE, "refused")
    await ada.says("for those with the key")
    await eve.hears_nothing()
    assert await eve.frames(ADA) == 0
    assert not await eve.said("for those with the key")
    assert await eve.tile(ADA).locator(".tile-note").inner_text() == "Encrypted with another key, so it cannot be shown"


async def test_the_key_is_in_no_request_and_not_in_the_address(venue: Venue) -> None:
    ada = await venue.guest(ADA)
    assert not any(venue.secret in address for address in ada.window.asked)
    assert venue.secret not in ada.page.url
    await ada.page.reload()
    await ada.joins()


async def test_what_is_turned_off_is_off_for_everybody_until_it_is_turned_on(venue: Venue) -> None:
    ada, ben = await venue.guest(ADA), await venue.guest(BEN)
    await ben.sees(ADA)
    await ben.hears(ADA)
    await ada.press("microphone")
    await ada.press("camera")
    await ben.state(ADA, "off")
    await ben.hears_nothing()
    assert await ben.tile(ADA).get_attribute("data-muted") is not None
    assert await ada.page.get_attribute("[data-control=camera]", "aria-label") == "Turn camera on"
    await ada.press("microphone")
    await ada.press("camera")
    await ben.sees(ADA)
    await ben.hears(ADA)


async def test_a_shared_screen_comes_large_and_goes(venue: Venue) -> None:
    ada, ben = await venue.guest(ADA), await venue.guest(BEN)
    await ben.sees(ADA)
    for _ in range(2):
        await ada.press("screen")
        await ben.state(ADA, "live", "screen")

        async def is_yellow() -> bool:
            pixel = await ben.pixel(ADA, "screen")
            return len(pixel) == 3 and min(pixel[:2]) > 200 and pixel[2] < 60

        await until(is_yellow, "the screen is seen")
        await ada.press("screen")
        await ben.tile(ADA, "screen").wait_for(state="detached", timeout=1000 * PATIENCE)
    await ben.sees(ADA)


async def test_messages_hands_and_reactions_reach_the_others(venue: Venue) -> None:
    ada, ben = await venue.guest(ADA), await venue.guest(BEN)
    await ben.sees(ADA)
    await ada.says("Shall we? <b>now</b>")
    await ben.reads("Shall we? <b>now</b>")
    await ben.says("Yes 👍")
    await ada.reads("Yes 👍")
    await ada.press("hand")
    await ben.tile(ADA).locator(".hand").wait_for(state="visible", timeout=1000 * PATIENCE)
    await ada.press("reactions")
    await ada.page.locator(".reactions .emoji").first.click()
    await ben.tile(ADA).locator(".bubble").wait_for(timeout=1000 * PATIENCE)


async def test_a_lost_socket_is_taken_up_again_and_media_does_not_notice(venue: Venue) -> None:
    ada, ben = await venue.guest(ADA), await venue.guest(BEN)
    await ben.sees(ADA)
    await ben.loses_the_socket()
    await ada.press("hand")
    await ben.tile(ADA).locator(".hand").wait_for(state="visible", timeout=1000 * PATIENCE)
    await ben.sees(ADA)
    assert await ben.page.evaluate("window.sockets.length") == 2
    assert await ada.page.locator(".tile").count() == 2


async def test_who_was_away_for_too_long_joins_anew_under_a_new_sender_id(venue: Venue) -> None:
    ada, ben = await venue.guest(ADA), await venue.guest(BEN)
    await ben.sees(ADA)
    await ada.sees(BEN)
    venue.here.started.calls.reception._conversations._by_token.clear()
    await ben.loses_the_socket()
    await ben.sees(ADA)
    await ada.sees(BEN)


async def test_a_lost_connection_is_made_anew_without_a_hand(venue: Venue) -> None:
    ada, ben = await venue.guest(ADA), await venue.guest(BEN)
    await ben.sees(ADA)
    meeting = venue.here.started.calls.live.find(venue.room.id)
    assert meeting is not None
    connection = next(one.connection for one in meeting.participants.values() if one.admission.identity == BEN.name)
    assert connection is not None
    assert connection._endpoint is not None
    await connection._endpoint.close()
    await until(lambda: anew(meeting, connection), "there is another connection")
    await ben.sees(ADA)
    await ada.sees(BEN)


async def anew(meeting: Meeting, before: Connection) -> bool:
    found = [one.connection for one in meeting.participants.values() if one.admission.identity == BEN.name]
    return found not in ([], [None], [before])


async def test_who_has_to_wait_comes_in_when_somebody_lets_them(venue: Venue) -> None:
    room = await made_room(venue.here, mode=Mode.SECURE, waiting_room=True)
    admission = token(venue.here, room.id, ADA.name)
    link = f"{venue.here.url}/#room={room.id}&token={admission}&k={venue.secret}"
    ada = await guest(venue.launched, link, ADA)
    await ada.page.click("[data-control=join]")
    await ada.page.wait_for_selector("[data-screen=waiting]")
    meeting = venue.here.started.calls.live.find(room.id)
    assert meeting is not None
    [waiting] = meeting.waiting
    meeting.admit(waiting)
    await ada.page.wait_for_selector("[data-screen=meeting][data-connection=connected]", timeout=1000 * PATIENCE)


async def test_who_may_not_publish_still_sees_and_is_told(venue: Venue) -> None:
    ada = await venue.guest(ADA)
    admission = token(venue.here, venue.room.id, BEN.name, Grants(join=True, subscribe=True))
    link = f"{venue.here.url}/#room={venue.room.id}&token={admission}&k={venue.secret}"
    ben = await guest(venue.launched, link, BEN)
    await ben.joins()
    await ben.sees(ADA)
    told = await ben.page.locator(".notes").inner_text()
    assert "This link does not allow a camera." in told
    assert "This link does not allow a microphone." in told
    assert await ada.tile(BEN).get_attribute("data-state") == "off"


async def test_who_leaves_is_gone_at_once(venue: Venue) -> None:
    ada, ben = await venue.guest(ADA), await venue.guest(BEN)
    await ben.sees(ADA)
    await ada.press("leave")
    await ada.page.wait_for_selector("[data-screen=left]")
    await ben.tile(ADA).wait_for(state="detached", timeout=3000)
    assert await ben.page.locator(".tile").count() == 1


async def test_a_smaller_tile_gets_a_smaller_layer_and_what_nobody_sees_is_not_sent(venue: Venue) -> None:
    ada, ben = await venue.guest(ADA), await venue.guest(BEN)
    await ben.sees(ADA)

    async def height(at: Guest, most: int, least: int = 1) -> bool:
        return least <= int(await at.tile(ADA).get_attribute("data-height") or 0) <= most

    await until(lambda: height(ben, 540, 270), "a large tile has a picture to match")
    await ben.page.set_viewport_size({"width": 240, "height": 320})
    await until(lambda: height(ben, 135), "a small one has less")
    await until(lambda: height(ada, 135), "and its sender sends no more")
    await ben.page.set_viewport_size({"width": 900, "height": 600})
    await until(lambda: height(ben, 540, 270), "and as much as before")


async def test_the_same_person_from_elsewhere_takes_the_place(venue: Venue) -> None:
    first = await venue.guest(ADA)
    await venue.guest(ADA)
    assert await first.problem() == "replaced"


async def test_a_room_that_ends_says_so(venue: Venue) -> None:
    ada = await venue.guest(ADA)
    await venue.here.started.calls.rooms.end(None, venue.room.id)
    venue.here.started.calls.live.end(venue.room.id)
    assert await ada.problem() == "room_ended"


@pytest.mark.parametrize(
    ("fragment", "code"),
    [
        ("", "no_link"),
        ("room={room}", "no_token"),
        ("token={token}", "no_room"),
        ("room={room}&token={token}&k=short", "bad_link_secret"),
    ],
)
async def test_a_link_that_lacks_something_says_what(venue: Venue, fragment: str, code: str) -> None:
    words = fragment.format(room=venue.room.id, token=token(venue.here, venue.room.id))
    assert await (await guest(venue.launched, f"{venue.here.url}/#{words}", ADA)).problem() == code


async def test_a_secure_room_without_the_key_and_an_old_token_are_refused_in_words(venue: Venue) -> None:
    keyless = venue.link(ADA).partition("&k=")[0]
    expired = f"#room={venue.room.id}&token={await old_token(venue.here, venue.room.id)}&k={venue.secret}"
    forged = f"#room={venue.room.id}&token=nonsense&k={venue.secret}"
    links = {
        keyless: "no_secret",
        f"{venue.here.url}/{expired}": "token_expired",
        f"{venue.here.url}/{forged}": "invalid_token",
    }
    for link, code in links.items():
        here = await guest(venue.launched, link, ADA)
        await here.page.click("[data-control=join]")
        assert await here.problem() == code


async def test_an_intelligent_room_is_said_to_be_what_it_is(venue: Venue) -> None:
    room = await made_room(venue.here, mode=Mode.INTELLIGENT)
    guests = []
    for look in (ADA, BEN):
        link = f"{venue.here.url}/#room={room.id}&token={token(venue.here, room.id, look.name)}"
        guests.append(await guest(venue.launched, link, look))
        await guests[-1].joins()
    ada, ben = guests
    await ada.sees(BEN)
    await ben.hears(ADA)
    await ben.says("in the clear")
    await ada.reads("in the clear")
    assert await ada.page.locator(".top .seal summary").inner_text() == "Not end-to-end encrypted"
