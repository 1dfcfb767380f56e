"""Making an account, confirming its address, signing in and out."""

from __future__ import annotations

from pathlib import Path

from tests.worlds import world


async def test_somebody_registers_signs_in_and_is_who_they_say(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        profile = await ada.get("/v1/auth/profile")
        assert (profile.status, profile.body["username"]) == (200, "ada")
        assert profile.body["email_verified"] is False


async def test_an_address_is_confirmed_by_its_mail_once(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        secret = await here.mailed(ada.email, "/verify-email")
        assert (await here.stranger.post("/v1/auth/verify-email", {"token": secret})).body["email_verified"] is True
        assert (await here.stranger.post("/v1/auth/verify-email", {"token": secret})).code == "invalid_link"


async def test_after_signing_out_the_token_is_worth_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        assert (await ada.post("/v1/auth/logout")).status == 204
        assert (await ada.get("/v1/auth/profile")).code == "session_ended"
        again = await ada.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
        assert again.code == "invalid_refresh_token"
