#!/usr/bin/env python3
"""Writes messages.txt: encrypted messages byte for byte, one after the other as their IVs follow from each other
(RFC 2409 §5, Appendix B): 5 and 6 of Main Mode, an Informational, 1 to 3 of Quick Mode. Built here from hmac, hashlib
and the openssl command, with none of the gateway's code. Lines as in keymat.txt, and the inputs are its patterns."""

import hashlib
import hmac
import subprocess

from make_keymat import pattern

CASES = {  # case: hash, openssl's name of the cipher, bytes of its key, of its block
    "md5_3des": ("md5", "des-ede3-cbc", 24, 8),
    "sha1_aes128": ("sha1", "aes-128-cbc", 16, 16),
    "sha256_aes256": ("sha256", "aes-256-cbc", 32, 16),
}
SA, ID, HASH, NONCE, NOTIFICATION = 1, 5, 8, 10, 11
MAIN_MODE, INFORMATIONAL, QUICK_MODE = 2, 5, 32


def chain(payloads):
    out = b""
    for i, (_, body) in enumerate(payloads):
        following = payloads[i + 1][0] if i + 1 < len(payloads) else 0
        out += bytes([following, 0]) + (len(body) + 4).to_bytes(2, "big") + body
    return out


def case(name, hash_name, cipher, key_size, block):
    key, skeyid_a = pattern(11, key_size), pattern(12, 32)
    ni, nr = pattern(1, 20), pattern(2, 32)

    def prf(*parts):
        return hmac.new(skeyid_a, b"".join(parts), hash_name).digest()

    def digest(*parts):
        return hashlib.new(hash_name, b"".join(parts)).digest()

    def message(exchange, m_id, payloads, iv):
        body = chain(payloads)
        body += bytes(-len(body) % block)
        command = ["openssl", "enc", "-e", "-" + cipher, "-K", key.hex(), "-iv", iv.hex(), "-nopad"]
        sealed = subprocess.run(command, input=body, capture_output=True, check=True).stdout
        header = pattern(6, 8) + pattern(7, 8) + bytes([payloads[0][0], 0x10, exchange, 1]) + m_id
        return header + (28 + len(sealed)).to_bytes(4, "big") + sealed

    none = bytes(4)
    out = {}
    iv = digest(pattern(3, 256), pattern(4, 256))[:block]
    for field, first in (("main_mode_5", 20), ("main_mode_6", 21)):
        out[field] = message(MAIN_MODE, none, [(ID, pattern(first, 8)), (HASH, pattern(first + 2, 20))], iv)
        iv = out[field][-block:]
    last = iv

    m_id = bytes.fromhex("0badcafe")
    payloads = [(NOTIFICATION, pattern(30, 32))]
    payloads.insert(0, (HASH, prf(m_id, chain(payloads))))
    out["informational"] = message(INFORMATIONAL, m_id, payloads, digest(last, m_id)[:block])

    m_id = bytes.fromhex("a1b2c3d4")
    iv = digest(last, m_id)[:block]
    for field, nonce, covered in (("quick_mode_1", ni, b""), ("quick_mode_2", nr, ni)):
        payloads = [(SA, pattern(31, 52)), (NONCE, nonce), (ID, pattern(32, 8)), (ID, pattern(33, 8))]
        payloads.insert(0, (HASH, prf(m_id, covered, chain(payloads))))
        out[field] = message(QUICK_MODE, m_id, payloads, iv)
        iv = out[field][-block:]
    out["quick_mode_3"] = message(QUICK_MODE, m_id, [(HASH, prf(b"\0", m_id, ni, nr))], iv)
    return "".join(f"{name}.{field} = {value.hex()}\n" for field, value in out.items())


if __name__ == "__main__":
    with open(__file__.replace("make_messages.py", "messages.txt"), "w", encoding="ascii") as f:
        f.write("# Made by make_messages.py from Python's hmac and hashlib and the openssl command.\n")
        for case_name, row in CASES.items():
            f.write(case(case_name, *row))
