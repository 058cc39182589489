"""Patterns, right ones and wrong ones, and what the library `stix2-patterns` says of each.

Input: {"seed", "count"}. Output: a list of {"pattern", "valid", "addresses", "never", "plain", "meaning"}: "addresses" are
what its inspector finds compared with `=`, `IN` or `ISSUBSET`; "never" says that a test in it never holds; "plain", that there is nothing else than
addresses, ports and `OR` in it; then "meaning" is the list of indicators, or null.
"""

import json
import random
import sys

from stix2patterns.v21.pattern import Pattern
from stix2patterns.validator import run_validator

import stix_meaning

ADDRESSES = {("ipv4-addr", ("value",)), ("ipv6-addr", ("value",)), ("network-traffic", ("dst_ref", "value"))}
PORT = ("network-traffic", ("dst_port",))
EXACT = ("=", "==", "IN", "ISSUBSET")


class Draw:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, *choices):
        return self.random.choice(choices)

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def v4(self):
        return f"45.{self.random.randrange(256)}.{self.random.randrange(256)}.{self.random.randrange(256)}"

    def text(self):
        return self.one("x", "it\\'s", "\\\\", "é \u2003", "", "a]b", "[", "// no", "/* no */", "192.0.2.1")

    def literal(self):
        return self.one(
            "1", "-5", "+7", "0", "1.5", ".5", "-0.25", "true", "false", "'" + self.text() + "'",
            "t'2024-01-01T00:00:00Z'", "t'2024-01-01T00:00:00.123Z'", "h'0aFF'", "b'YWJj'", "b'YQ=='",
        )

    def ordered(self):
        literal = self.literal()
        return "1" if literal in ("true", "false") else literal

    def other(self):
        path = self.one(
            "domain-name:value", "url:value", "file:size", "file:hashes.'x y'", "process:'a b'.c[0].d[*]",
            "network-traffic:src_ref.value", "email-message:from_ref.value", "x-odd_type:_p", "a--:b",
            "windows-registry-key:values[1].data",
        )
        negated = self.one("", "", " NOT")
        kind = self.random.randrange(6)
        if kind == 0:
            return f"{self.one('', 'NOT ')}EXISTS {path}"
        if kind == 1:
            return f"{path}{negated} {self.one('=', '!=', '==', '<>')} {self.literal()}"
        if kind == 2:
            return f"{path}{negated} {self.one('<', '>', '<=', '>=')} {self.ordered()}"
        if kind == 3:
            some = ", ".join(self.literal() for _ in range(self.random.randrange(4)))
            return f"{path}{negated} IN ({some})"
        operator = self.one("LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET")
        return f"{path}{negated} {operator} '{self.text()}'"

    def address(self, traffic):
        if traffic:
            test = self.one(f"= '{self.v4()}'", f"IN ('{self.v4()}', '{self.v4()}')", "ISSUBSET '45.9.7.0/24'")
            return f"network-traffic:dst_ref.value {test}"
        kind = self.random.randrange(5)
        if kind == 0:
            return f"ipv6-addr:value = '2a0e:5::{self.random.randrange(65536):x}'"
        if kind == 1:
            return f"ipv4-addr:value ISSUBSET '45.{self.random.randrange(256)}.7.0/24'"
        if kind == 2:
            some = ",".join(f"'{self.v4()}'" for _ in range(self.random.randint(1, 4)))
            return f"ipv4-addr:value IN ({some})"
        path = self.one("ipv4-addr:value", "network-traffic:dst_ref.value")
        return f"{path} {self.one('=', '=', '==')} '{self.v4()}'"

    def port(self):
        port = self.random.randint(1, 65535)
        return self.one(f"network-traffic:dst_port = {port}", f"network-traffic:dst_port IN ({port}, 443)")

    def comparison(self, other):
        ported = self.chance(40)
        test = self.address(ported)
        if self.chance(30):
            test = f"{test} OR {self.address(ported)}"
        if ported:
            test = f"({test}) AND {self.port()}"
        if self.chance(other):
            test = self.one(self.other(), f"{test} OR {self.other()}", f"({test}) AND {self.other()}")
        if self.chance(20):
            test = f"({test})"
        return f"[{test}]"

    def pattern(self):
        other = self.one(0, 0, 60)
        pattern = self.comparison(other)
        while self.chance(25):
            joint = self.one("OR", "OR", "AND", "FOLLOWEDBY") if other else "OR"
            pattern = f"{pattern} {joint} {self.comparison(other)}"
        if self.chance(15):
            pattern = f"({pattern})"
        if other and self.chance(25):
            pattern += " " + self.one(
                "WITHIN 5 SECONDS", "WITHIN 1.5 SECONDS", "REPEATS 3 TIMES", "REPEATS 3 TIMES WITHIN 5 SECONDS",
                "START t'2024-01-01T00:00:00Z' STOP t'2025-01-01T00:00:00Z'",
                "WITHIN -5 SECONDS", "REPEATS 1.5 TIMES", "WITHIN 5 SECONDS WITHIN 6 SECONDS", "WITHIN 5",
                "START '2024-01-01T00:00:00Z' STOP '2025-01-01T00:00:00Z'",
            )
        if self.chance(20):
            pattern = self.commented(pattern)
        return self.damaged(pattern) if self.chance(45) else pattern

    def commented(self, pattern):
        comment = self.one(" /* c ] */ ", "/**/", " // c\n", "\t\n", " /* 'x */ ")
        places = [at for at, sign in enumerate(pattern) if sign == " "] or [0]
        at = self.random.choice(places)
        return pattern[:at] + comment + pattern[at:]

    def damaged(self, pattern):
        signs = ["'", "[", "]", "(", ")", ",", ".", ":", "=", "\\", "-", "+", "0", "AND", " OR ", "NOT ", "/*", "//",
                 "~", "é", '"', "t'2024'", "h'0'", "b'a'", "EXISTS ", " ", "IN", "!", "<", "*"]
        for _ in range(self.random.randint(1, 2)):
            at = self.random.randrange(len(pattern) + 1)
            kind = self.random.randrange(4)
            if kind == 0:
                pattern = pattern[:at] + self.random.choice(signs) + pattern[at:]
            elif kind == 1:
                pattern = pattern[:at] + pattern[at + self.random.randint(1, 6):]
            elif kind == 2:
                pattern = pattern[:at] + self.random.choice(signs) + pattern[at + 1:]
            else:
                words = pattern.split(" ")
                self.random.shuffle(words)
                pattern = " ".join(words) if self.chance(30) else pattern.lower()
        return pattern


def values(literal):
    """The texts in `'x'` or `('x', 'y')`. Addresses have no signs that would need an escape."""
    return literal.split("'")[1::2]


def told(pattern):
    """What the library says, or None where it does not answer at all."""
    try:
        valid = not run_validator(pattern, "2.1")
    except Exception:
        return None
    said = {"pattern": pattern, "valid": valid, "addresses": [], "plain": False, "never": False, "meaning": None}
    if not valid:
        return said
    data = Pattern(pattern).inspect()
    plain = not data.qualifiers and data.observation_ops <= {"OR"} and " NOT EXISTS " not in pattern
    plain = plain and "EXISTS" not in pattern
    for kind, tests in data.comparisons.items():
        for path, operator, literal in tests:
            subject = (kind, tuple(step if isinstance(step, str) else "*" for step in path))
            said["never"] |= operator == "IN" and not literal.strip("( )")
            if subject in ADDRESSES and operator in EXACT:
                said["addresses"] += values(literal)
            elif subject != PORT or operator not in EXACT:
                plain = False
    said["plain"] = plain
    if plain:
        try:
            said["meaning"] = stix_meaning.indicators(pattern)
        except ValueError:
            # No address: damaged inside of its quotes.
            said["plain"] = False
    return said


def main():
    asked = json.load(sys.stdin)
    draw, made = Draw(asked["seed"]), []
    while len(made) < asked["count"]:
        said = told(draw.pattern())
        if said:
            made.append(said)
    json.dump(made, sys.stdout)


main()
