"""Opens an encrypted store by what docs/encryption.md says of it, with libsodium's ciphers.

usage: sealed.py SEPTET FOLDER

Files of sizes around a chunk's are trained on: a data file is a blob. Then every blob, record and
message of the store is decrypted here: blobs must have the digests they are named by, and what the
others hold must be JSON.
"""

import hashlib
import hmac
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as decrypt

SEPTET, FOLDER = sys.argv[1], Path(sys.argv[2])
STORE = FOLDER / "sealed"
KEY = bytes(range(32))
CHUNK = 65536
MAGIC = b"septet\x00\x01"


def septet(*arguments):
    ended = subprocess.run(
        [SEPTET, *map(str, arguments), "--store", STORE],
        env={**os.environ, "SEPTET_STORE_KEY": KEY.hex()},
        cwd=FOLDER,
        capture_output=True,
    )
    return ended.returncode


def subkey(salt, label):
    """HKDF-SHA-256 (RFC 5869) for 32 bytes."""
    extracted = hmac.digest(salt, KEY, "sha256")
    info = f"septet store 1: {label}".encode()
    return hmac.digest(extracted, info + b"\x01", "sha256")


def blob(sealed, key):
    assert sealed[:8] == MAGIC
    prefix, body, plain = sealed[8:27], sealed[27:], b""
    chunks = max(1, -(-len(body) // (CHUNK + 16)))
    for number in range(chunks):
        chunk = body[number * (CHUNK + 16) : (number + 1) * (CHUNK + 16)]
        last = number == chunks - 1
        nonce = prefix + number.to_bytes(4, "big") + bytes([last])
        plain += decrypt(chunk, MAGIC, nonce, key)
    return plain


def value(sealed, key, *place):
    parts = (part.encode() for part in place)
    place = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return decrypt(sealed[24:], place, sealed[:24], key)


def rows(path, size):
    """A file of `size` bytes: rows of eight, and the last one's number as long as it takes."""
    text = "x,label\n"
    count = (size - len(text)) // 8
    for i in range(count):
        more = (size - len(text)) % 8 if i == count - 1 else 0
        text += f"{i % 97:02}.25{'0' * more},{'ab'[i * i % 11 > 4]}\n"
    path.write_text(text)
    assert len(text) == size, (len(text), size)


for size in (CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK):
    data = FOLDER / f"rows{size}.csv"
    rows(data, size)
    assert septet("run", data, "--target", "label") == 0
# A run that is rejected leaves a message.
assert septet("run", data, "--target", "missing") != 0

database = sqlite3.connect(STORE / "septet.db")
meta = dict(database.execute("SELECT name, value FROM meta"))
assert meta["encryption"] == b"1"
salt = meta["salt"]
assert meta["key-check"] == subkey(salt, "check")

compared, sizes = 0, set()
for path in sorted((STORE / "blobs").glob("*/*")):
    plain = blob(path.read_bytes(), subkey(salt, "blobs"))
    assert hashlib.sha256(plain).hexdigest() == path.parent.name + path.name, path
    sizes.add(len(plain))
    compared += 1
assert {CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK} <= sizes, sizes
for name, sealed in database.execute("SELECT key, value FROM records"):
    plain = value(sealed, subkey(salt, "records"), name)
    if plain:
        json.loads(plain)
    compared += 1
messages = database.execute("SELECT queue, id, grp, body FROM messages").fetchall()
assert messages
for queue, name, group, sealed in messages:
    json.loads(value(sealed, subkey(salt, "messages"), queue, name, group))
    compared += 1
print(json.dumps({"compared": compared}))
