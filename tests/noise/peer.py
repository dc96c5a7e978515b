"""One end of a channel, written by somebody else: Python's noiseprotocol, driven line by line over stdin and stdout.

It does Noise and derives the psk by itself; only ML-KEM comes from the test, because the library has none.
"""

import hashlib
import hmac
import json
import sys

from noise.connection import Keypair, NoiseConnection

noise = NoiseConnection()


def start(name, initiator, prologue, secret):
    global noise
    noise = NoiseConnection.from_name(name.encode())
    noise.set_as_initiator() if initiator else noise.set_as_responder()
    noise.set_prologue(bytes.fromhex(prologue))
    noise.set_keypair_from_private_bytes(Keypair.STATIC, bytes.fromhex(secret))
    noise.set_psks(psk=bytes(32))  # stands in until message 2 has made the real one
    noise.start_handshake()
    return ""


def psk(secret):
    h = noise.noise_protocol.handshake_state.symmetric_state.h
    text = b"tidegate/pq-psk/v1" + bytes.fromhex(secret)
    noise.noise_protocol.psks = [hmac.new(h, text, hashlib.sha256).digest()]
    return ""


STEPS = {
    "start": start,
    "psk": psk,
    "write": lambda payload: bytes(noise.write_message(bytes.fromhex(payload))).hex(),
    "read": lambda message: bytes(noise.read_message(bytes.fromhex(message))).hex(),
    "hash": lambda: noise.get_handshake_hash().hex(),
    "encrypt": lambda text: bytes(noise.encrypt(bytes.fromhex(text))).hex(),
    "decrypt": lambda record: bytes(noise.decrypt(bytes.fromhex(record))).hex(),
    "rekey_in": lambda: noise.rekey_inbound_cipher() or "",
    "rekey_out": lambda: noise.rekey_outbound_cipher() or "",
}

for line in sys.stdin:
    step = json.loads(line)
    print(STEPS[step.pop("do")](**step), flush=True)
