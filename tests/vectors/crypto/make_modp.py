#!/usr/bin/env python3
"""Writes modp.txt: Diffie-Hellman in the groups of RFC 2409 §6.2 and RFC 3526, from Python's integers alone. The
primes are computed from the formula that the RFCs give for each, 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + c),
and not copied. Of each group one exchange has nothing special, one a public value and one a secret that begins with a
zero byte. Each line is `group.case.field = hexadecimal`, everything but the private values padded to the group's size."""

import hashlib

GROUPS = {1024: 129093, 1536: 741804, 2048: 124476, 3072: 1690314, 4096: 240904}  # bits: c


def arctan_of_inverse(x, one):
    """arctan(1/x) * one, by its series."""
    term = total = one // x
    n, sign = 3, -1
    while term:
        term //= x * x
        total += sign * (term // n)
        n, sign = n + 2, -sign
    return total


def pi_times_two_to_the(bits):
    guard = 64
    one = 1 << (bits + guard)
    return (16 * arctan_of_inverse(5, one) - 4 * arctan_of_inverse(239, one)) >> guard  # Machin


def prime(bits):
    return 2**bits - 2 ** (bits - 64) - 1 + 2**64 * (pi_times_two_to_the(bits - 130) + GROUPS[bits])


def looks_prime(p):
    return all(pow(base, p - 1, p) == 1 for base in (2, 3, 5, 7))


def private(name):
    return int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")


def numbered(name, wanted):
    """The first of the private values of this name that is as wanted."""
    number = 0
    while not wanted(private(f"{name} {number}")):
        number += 1
    return private(f"{name} {number}")


def exchanges():
    for bits in GROUPS:
        p, size = prime(bits), bits // 8
        assert looks_prime(p) and looks_prime((p - 1) // 2)
        short = 1 << (bits - 8)
        for case in ("plain", "short_value", "short_secret"):
            name = f"modp{bits}.{case}"
            a = private(name + " a")
            wanted = {
                "plain": lambda x: True,
                "short_value": lambda x: pow(2, x, p) < short,
                "short_secret": lambda x: pow(2, a * x, p) < short,
            }[case]
            b = numbered(name + " b", wanted)
            yield f"{name}.private_a = {a:064x}"
            yield f"{name}.private_b = {b:064x}"
            yield f"{name}.public_a = {pow(2, a, p).to_bytes(size, 'big').hex()}"
            yield f"{name}.public_b = {pow(2, b, p).to_bytes(size, 'big').hex()}"
            yield f"{name}.shared = {pow(2, a * b, p).to_bytes(size, 'big').hex()}"


if __name__ == "__main__":
    with open(__file__.replace("make_modp.py", "modp.txt"), "w", encoding="ascii") as f:
        f.write("# Made by make_modp.py from Python's integers: an origin of its own.\n")
        f.writelines(line + "\n" for line in exchanges())
