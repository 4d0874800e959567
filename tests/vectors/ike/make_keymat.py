#!/usr/bin/env python3
"""Writes keymat.txt: the keys and hashes of RFC 2409 §5, §5.5 and Appendix B, from Python's hmac and hashlib
alone, with none of the gateway's code. Inputs are fixed patterns; each line is `case.name = hexadecimal`."""

import hashlib
import hmac

CASES = {  # case: hash, size of the ISAKMP cipher's key, its block, sizes of the ESP keys, SPI, PFS
    "md5_3des": ("md5", 24, 8, 24, 16, 0x11223344, False),
    "sha1_aes256": ("sha1", 32, 16, 32, 20, 0xC0FFEE00, False),
    "sha1_aes128": ("sha1", 16, 16, 16, 20, 0x00001000, True),
    "sha256_aes256": ("sha256", 32, 16, 20, 0, 0xFFFFFFFF, True),  # ESP: AES-GCM-128 and its salt
    "sha384_aes192": ("sha384", 24, 16, 24, 48, 0x01020304, False),
    "sha512_aes256": ("sha512", 32, 16, 32, 64, 0xDEADBEEF, True),
}


def pattern(first, size):
    return bytes((first + 7 * i) % 256 for i in range(size))


def case(name, hash_name, key_size, block, encryption, integrity, spi, pfs):
    def prf(key, *parts):
        return hmac.new(key, b"".join(parts), hash_name).digest()

    def digest(*parts):
        return hashlib.new(hash_name, b"".join(parts)).digest()

    out = {}
    psk = b"swordfish"
    ni, nr = pattern(1, 20), pattern(2, 32)
    g_xi, g_xr, g_xy = pattern(3, 256), pattern(4, 256), pattern(5, 256)
    cky_i, cky_r = pattern(6, 8), pattern(7, 8)
    sai_b, id_b = pattern(8, 48), pattern(9, 8)
    m_id = bytes.fromhex("a1b2c3d4")

    skeyid = prf(psk, ni, nr)
    skeyid_d = prf(skeyid, g_xy, cky_i, cky_r, b"\0")
    skeyid_a = prf(skeyid, skeyid_d, g_xy, cky_i, cky_r, b"\1")
    skeyid_e = prf(skeyid, skeyid_a, g_xy, cky_i, cky_r, b"\2")
    if len(skeyid_e) >= key_size:
        key = skeyid_e[:key_size]
    else:  # Appendix B: Ka = K1 | K2 | ..., K1 = prf(SKEYID_e, 0), K2 = prf(SKEYID_e, K1)
        k = prf(skeyid_e, b"\0")
        key = k
        while len(key) < key_size:
            k = prf(skeyid_e, k)
            key += k
        key = key[:key_size]
    out["skeyid"], out["skeyid_d"], out["skeyid_a"], out["encryption_key"] = skeyid, skeyid_d, skeyid_a, key
    out["hash_i"] = prf(skeyid, g_xi, g_xr, cky_i, cky_r, sai_b, id_b)
    out["hash_r"] = prf(skeyid, g_xr, g_xi, cky_r, cky_i, sai_b, id_b)
    out["phase1_iv"] = digest(g_xi, g_xr)[:block]
    out["phase2_iv"] = digest(out["phase1_iv"], m_id)[:block]
    rest = pattern(10, 100)
    out["hash_1"] = prf(skeyid_a, m_id, rest)
    out["hash_2"] = prf(skeyid_a, m_id, ni, rest)
    out["hash_3"] = prf(skeyid_a, b"\0", m_id, ni, nr)
    # §5.5: K1 = prf(SKEYID_d, [g(qm)^xy |] protocol | SPI | Ni_b | Nr_b), K2 = prf(SKEYID_d, K1 | ...)
    seed = (g_xy if pfs else b"") + b"\3" + spi.to_bytes(4, "big") + ni + nr
    keymat = k = prf(skeyid_d, seed)
    while len(keymat) < encryption + integrity:
        k = prf(skeyid_d, k, seed)
        keymat += k
    out["esp_encryption"] = keymat[:encryption]
    out["esp_integrity"] = keymat[encryption:encryption + integrity]
    return "".join(f"{name}.{field} = {value.hex()}\n" for field, value in out.items())


if __name__ == "__main__":
    with open(__file__.replace("make_keymat.py", "keymat.txt"), "w", encoding="ascii") as f:
        f.write("# Made by make_keymat.py from Python's hmac and hashlib: an origin of its own.\n")
        for case_name, row in CASES.items():
            f.write(case(case_name, *row))
