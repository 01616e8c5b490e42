"""What may have happened to a sealed file on its way: each has to be refused."""

from __future__ import annotations

from collections.abc import Callable

Damage = Callable[[bytes], bytes]


def flipped(whole: bytes, at: int) -> bytes:
    return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]


# For any file that has weights in its middle and names its precision.
DAMAGES: dict[str, Damage] = {
    "nothing in it": lambda whole: b"",
    "cut in half": lambda whole: whole[: len(whole) // 2],
    "cut at its last byte": lambda whole: whole[:-1],
    "a bit of its first number": lambda whole: flipped(whole, 0),
    "a bit of its weights": lambda whole: flipped(whole, len(whole) // 2),
    "a page of zeros": lambda whole: whole[:8192] + bytes(4096) + whole[12288:],
    "a byte too many": lambda whole: whole[:5000] + b"x" + whole[5000:],
    "a text behind it": lambda whole: whole + b"and more",
    "another manifest": lambda whole: whole.replace(b'"fp32"', b'"fp16"'),
}
