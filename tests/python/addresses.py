"""Texts that are addresses and prefixes or nearly so, and what the module `ipaddress` says of each.

Input: {"seed", "count"}. Output: a list of [text, network or null, strict]. Not "strict" is what the module
reads and nobody has to: lengths with a zero before them (`/024` may be meant as 20), and zones.
"""

import ipaddress
import json
import random
import sys


class Draw:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, *choices):
        return self.random.choice(choices)

    def octet(self):
        number = self.one(0, 1, 7, 99, 255, self.random.randrange(256))
        if self.random.randrange(12):
            return str(number)
        return self.one(f"0{number}", f"{number:03}", "256", "999", "", f"+{number}", f"{number:#x}", "-1", "1e1")

    def v4(self):
        # Never one that is refused: what is meant here is how it is written.
        count = self.one(4, 4, 4, 4, 4, 4, 3, 5, 1)
        return ".".join(["45"] + [self.octet() for _ in range(count - 1)])

    def group(self):
        number = self.one(0, 0, 1, 0xDB8, 0xFFFF, self.random.randrange(65536))
        if self.random.randrange(15):
            return f"{number:{self.one('x', 'X', '04x')}}"
        return self.one("10000", "00001", "g", "", "-1", "0x1")

    def v6(self):
        groups = ["2a0e"] + [self.group() for _ in range(self.one(7, 7, 7, 6, 8))]
        kind = self.random.randrange(6)
        if kind == 0:
            return f"2a0e::{':'.join(groups[1:self.random.randint(2, 8)])}"
        if kind == 1:
            at = self.random.randint(1, 6)
            return ":".join(groups[:at]) + "::" + ":".join(groups[at + 1:7])
        if kind == 2:
            return f"2a0e::{self.v4()}"
        if kind == 3:
            return f"{self.one('::ffff:', '::FFFF:', '0:0:0:0:0:ffff:', '::ffff:0:', '64:ff9b::')}{self.v4()}"
        if kind == 4:
            return f"{':'.join(groups)}{self.one('%eth0', '%1', '%', '::')}"
        return ":".join(groups)

    def text(self):
        four = self.random.randrange(2)
        text = self.v4() if four else self.v6()
        if self.random.randrange(3) == 0:
            longest = 32 if four else 128
            length = self.random.randint(8, longest)
            text += "/" + self.one(
                *[str(length)] * 8, f"0{length}", str(longest + 1), "", "-1", "+8", "x", "24/24",
                "255.255.255.0", "255.0.255.0", "255.255.255.255",
            )
        if self.random.randrange(25) == 0:
            at = self.random.randrange(len(text) + 1)
            text = text[:at] + self.one(".", ":", "/", "0", "\u0663", "a", "..", ":::") + text[at:]
        return text


def network(text):
    """The network as the product writes it, or None. An IPv4-mapped one is the IPv4 network."""
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if found.version == 6 and found.network_address.ipv4_mapped and found.prefixlen >= 96:
        inner = found.network_address.ipv4_mapped
        return str(ipaddress.ip_network((inner, found.prefixlen - 96)))
    return str(found)


def main():
    asked = json.load(sys.stdin)
    draw = Draw(asked["seed"])
    texts = sorted({draw.text() for _ in range(asked["count"])})
    draw.random.shuffle(texts)
    json.dump([[text, network(text), "/0" not in text and "%" not in text] for text in texts], sys.stdout)


main()
