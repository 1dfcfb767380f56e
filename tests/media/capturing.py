"""Makes the captures anew from a real Chromium: python -m tests.media.capturing [name ...]

A receiver that answers, decrypts and sends feedback, and forwards nothing: our own ICE, DTLS, SRTP and RTCP.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from media.candidates import Advertised
from media.codecs.names import CodecName
from media.dtls import DtlsEndpoint, DtlsIdentity
from media.extensions import ExtensionName, read_transport_sequence
from media.feedback import FeedbackCollector
from media.icelite import Agents
from media.icevalues import Credentials, Send
from media.icevalues import Path as IcePath
from media.portable.srtp import Srtp
from media.rtcp import Packet as RtcpPacket
from media.rtcp import PictureLoss, build
from media.rtp import Kind, Packet, kind_of
from media.sdp.answer import LocalTransport, answer
from media.sdp.codecs import CLEAR
from media.sdp.negotiation import Agreement, Terms, agree
from media.sdp.parse import parse_offer
from tests.browsing import MEDIA_ARGUMENTS, browser
from tests.media.captures import KEY_ID, NAMES, About, Capture, Captured, Sent, path_of, save

SECONDS: Final = 3.0
PAGE: Final = "http://localhost:9/"

# Each makes `track` and the options of its transceiver; bit rates are low, so that files are small.
SCENARIOS: Final = {
    "vp8_simulcast": """
        const [track] = (await navigator.mediaDevices.getUserMedia({video: {width: 1280, height: 720}})).getTracks();
        const sendEncodings = [
            {rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150000, scalabilityMode: 'L1T3'},
            {rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 400000, scalabilityMode: 'L1T3'},
            {rid: 'f', maxBitrate: 900000, scalabilityMode: 'L1T3'}];
        return {track, sendEncodings, codec: 'video/VP8'};""",
    "vp9_svc": """
        const [track] = (await navigator.mediaDevices.getUserMedia({video: {width: 1280, height: 720}})).getTracks();
        return {track, sendEncodings: [{maxBitrate: 1500000, scalabilityMode: 'L3T3_KEY'}], codec: 'video/VP9'};""",
    "av1": """
        const [track] = (await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 360}})).getTracks();
        return {track, sendEncodings: [{maxBitrate: 150000, scalabilityMode: 'L1T2'}], codec: 'video/AV1'};""",
    "h264": """
        const [track] = (await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 360}})).getTracks();
        return {track, sendEncodings: [{maxBitrate: 200000}], codec: 'video/H264'};""",
    "opus_dtx": """
        const [track] = (await navigator.mediaDevices.getUserMedia({audio: true})).getTracks();
        setTimeout(() => track.enabled = false, 1500);
        return {track, sendEncodings: [{}], codec: 'audio/opus'};""",
    "screen": """
        const options = {video: {frameRate: 15}, preferCurrentTab: true};
        const [track] = (await navigator.mediaDevices.getDisplayMedia(options)).getTracks();
        track.contentHint = 'text';
        return {track, sendEncodings: [{maxBitrate: 300000}], codec: 'video/VP8'};""",
}
# Of the same, frame by frame sealed as docs/media-plane.md has it, under a key that nobody keeps.
SEALED: Final = {"sealed_vp8": "vp8_simulcast", "sealed_vp9": "vp9_svc", "sealed_opus": "opus_dtx"}
SEALING: Final = """
    let number = 0;
    const key = crypto.subtle.generateKey({name: 'AES-GCM', length: 256}, false, ['encrypt']);
    const bytesOf = value => value < 256 ? [value] : [...bytesOf(Math.floor(value / 256)), value % 256];
    const clear = {VP8: data => data[0] & 1 ? 3 : 10, VP9: () => 0, opus: () => 1};
    onrtctransform = ({transformer}) => transformer.readable.pipeThrough(new TransformStream({
        async transform(frame, controller) {
            const data = new Uint8Array(frame.data);
            // A pause of sound is empty frames: they pass untouched.
            if (!data.length)
                return controller.enqueue(frame);
            const counter = number++, bytes = counter > 7 ? bytesOf(counter) : [];
            const nibble = counter > 7 ? 8 | bytes.length - 1 : counter;
            const header = [0xa0 | nibble, ...KEY_ID, ...bytes];
            const prefix = data.slice(0, clear[transformer.options](data));
            const iv = new Uint8Array(12);
            new DataView(iv.buffer).setUint32(8, counter);
            const additionalData = Uint8Array.of(...header, ...prefix);
            const rest = data.subarray(prefix.length);
            const sealed = await crypto.subtle.encrypt({name: 'AES-GCM', iv, additionalData}, await key, rest);
            const out = new Uint8Array(prefix.length + header.length + sealed.byteLength);
            out.set(prefix);
            out.set(header, prefix.length);
            out.set(new Uint8Array(sealed), prefix.length + header.length);
            frame.data = out.buffer;
            controller.enqueue(frame);
        }
    })).pipeTo(transformer.writable);
"""
OFFER: Final = """async sealing => {
    const {track, sendEncodings, codec} = await (async () => {%s})();
    const pc = window.pc = new RTCPeerConnection();
    window.track = track;
    const transceiver = pc.addTransceiver(track, {direction: 'sendonly', sendEncodings});
    if (sealing) {
        const worker = new Worker(URL.createObjectURL(new Blob([sealing])));
        transceiver.sender.transform = new RTCRtpScriptTransform(worker, codec.split('/')[1]);
    }
    const all = RTCRtpSender.getCapabilities(track.kind).codecs;
    const rtx = all.filter(one => one.mimeType.endsWith('/rtx'));
    transceiver.setCodecPreferences([...all.filter(one => one.mimeType === codec), ...rtx]);
    await pc.setLocalDescription();
    if (pc.iceGatheringState !== 'complete')
        await new Promise(done => pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done());
    return pc.localDescription.sdp;
}"""
# What is on its way is still sent, so that the figures are of what came.
STOP: Final = """async () => {
    track.stop();
    await new Promise(done => setTimeout(done, 300));
    return [...(await pc.getStats()).values()].filter(one => one.type === 'outbound-rtp');
}"""


@dataclass
class Recorder(asyncio.DatagramProtocol):
    """One peer. ``ids`` of its extensions."""

    identity: DtlsIdentity
    agents: Agents = field(default_factory=lambda: Agents(0, os.urandom))
    collector: FeedbackCollector = field(default_factory=lambda: FeedbackCollector(1))
    captured: list[Captured] = field(default_factory=list)
    ssrcs: set[int] = field(default_factory=set)
    ids: dict[ExtensionName, int] = field(default_factory=dict)
    media_types: frozenset[int] = frozenset()
    handle: int = 0
    srtp: Srtp | None = None
    dtls: DtlsEndpoint | None = None
    transport: asyncio.DatagramTransport | None = None
    began: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # of a datagram endpoint

    def answer(self, offer_text: str, mid: str) -> str:
        agreement = agree(parse_offer(offer_text), Terms(CLEAR, frozenset({mid})))
        peer = agreement.transport
        self.ids = {name: number for kind in agreement.received.values() for name, number in kind.items()}
        self.media_types = frozenset(number for number, one in agreement.payloads.items() if one.repairs is None)
        credentials = Credentials(peer.ufrag.encode(), peer.password.encode())
        self.handle, local = self.agents.create(credentials, time.monotonic())
        self.dtls = DtlsEndpoint(self.identity, peer.fingerprints, self._send_dtls)
        self.agreement = agreement
        return answer(agreement, self._local(local), {})

    def _local(self, ice: Credentials) -> LocalTransport:
        assert self.transport is not None
        host, port = self.transport.get_extra_info("sockname")
        return LocalTransport(
            1, 1, ice.ufrag.decode(), ice.password.decode(), self.identity.fingerprint, (Advertised(host, port),)
        )

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        kind, path, now = kind_of(data), IcePath(0, *addr), time.monotonic()
        if kind is Kind.STUN:
            self.send(self.agents.receive(data, path, now).sends)
        elif kind is Kind.DTLS and self.dtls is not None:
            self.dtls.receive(data)
        elif kind in (Kind.RTP, Kind.RTCP) and self.srtp is not None:
            unprotect = self.srtp.unprotect if kind is Kind.RTP else self.srtp.unprotect_rtcp
            self._take(bytes(unprotect(data)), kind is Kind.RTCP, now)

    def _take(self, data: bytes, is_rtcp: bool, now: float) -> None:
        if not self.captured:
            self.began = now
        self.captured.append(Captured(now - self.began, is_rtcp, data))
        if is_rtcp:
            return
        packet = Packet.parse(data)
        if packet.header.payload_type in self.media_types:
            self.ssrcs.add(packet.header.ssrc)
        value = packet.extensions.get(self.ids.get(ExtensionName.TRANSPORT_CC, 0))
        if value is not None:
            self.collector.arrived(read_transport_sequence(value), packet.header.ssrc, now)

    def send(self, sends: Iterable[Send]) -> None:
        assert self.transport is not None
        for one in sends:
            self.transport.sendto(one.data, one.path.address)

    def _send_dtls(self, datagram: bytes) -> None:
        path = self.agents.destination(self.handle)
        if path is not None:
            self.send([Send(path, datagram)])

    def say(self, packets: Iterable[RtcpPacket]) -> None:
        path = self.agents.destination(self.handle)
        if path is not None and self.srtp is not None:
            self.send([Send(path, bytes(self.srtp.protect_rtcp(build(packets))))])

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            now = time.monotonic()
            self.send(self.agents.tick(now).sends)
            if feedback := self.collector.collect(now):
                self.say(feedback)


async def capture(name: str, chromium: Path) -> None:
    async with browser(chromium, *MEDIA_ARGUMENTS, "--auto-accept-this-tab-capture") as opened:
        page = await (await opened.new_context(permissions=["camera", "microphone"])).new_page()
        moving = (
            "<canvas></canvas><script>let n=0;setInterval(()=>document.title=document.body.append(n++),100)</script>"
        )
        await page.route(PAGE, lambda route: route.fulfill(body=moving, content_type="text/html"))
        await page.goto(PAGE)
        loop = asyncio.get_running_loop()
        recorder = Recorder(DtlsIdentity.make())
        transport, _ = await loop.create_datagram_endpoint(lambda: recorder, local_addr=("127.0.0.1", 0))
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        ticking = asyncio.create_task(recorder.tick())
        sealing = SEALING.replace("KEY_ID", str(list(KEY_ID.to_bytes(3, "big")))) if name in SEALED else None
        offered = await page.evaluate(OFFER % SCENARIOS[SEALED.get(name, name)], sealing)
        text = _ready_for_all_layers(recorder.answer(offered, "0"))
        await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", text)
        assert recorder.dtls is not None
        recorder.srtp = Srtp(await recorder.dtls.connect())
        await asyncio.sleep(SECONDS / 2)
        recorder.say([PictureLoss(1, ssrc) for ssrc in recorder.ssrcs])
        await asyncio.sleep(SECONDS / 2)
        stats = await page.evaluate(STOP)
        about = _about(f"Chromium {opened.version}", recorder.agreement, stats)
        save(name, Capture(about, recorder.captured))
        print(name, len(recorder.captured), path_of(name).stat().st_size, about.sent)
        ticking.cancel()
        await recorder.dtls.close()
        transport.close()


def _ready_for_all_layers(text: str) -> str:
    """A browser begins at 300 kbit/s and adds layers over seconds; this is Chromium's own word for another start."""
    start = "x-google-start-bitrate=3000"
    described = re.sub(r"(a=fmtp:\d+ profile-id=0)", rf"\1;{start}", text)
    return re.sub(r"(a=rtpmap:(\d+) VP8/90000\r\n)", rf"\1a=fmtp:\2 {start}\r\n", described)


def _about(version: str, agreement: Agreement, stats: list[dict[str, Any]]) -> About:
    return About(
        browser=version,
        payload_types={
            number: CodecName(one.codec) for number, one in agreement.payloads.items() if one.repairs is None
        },
        repairs={number: one.repairs for number, one in agreement.payloads.items() if one.repairs is not None},
        extensions={number: name.name for kind in agreement.received.values() for name, number in kind.items()},
        sent=[
            Sent(
                ssrc=one["ssrc"],
                rid=one.get("rid", ""),
                packets=one["packetsSent"],
                retransmitted=one.get("retransmittedPacketsSent", 0),
                frames=one.get("framesSent", 0),
                keyframes=one.get("keyFramesEncoded", 0),
                width=one.get("frameWidth", 0),
                height=one.get("frameHeight", 0),
            )
            for one in stats
        ],
    )


async def main(names: Iterable[str]) -> None:
    chromium = shutil.which("chromium")
    assert chromium is not None, "there is no Chromium on this machine"
    for name in names:
        await capture(name, Path(chromium))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or NAMES))
