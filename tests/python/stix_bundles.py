"""Bundles as the library `stix2` makes them, and what must be read from them.

Input: {"seed", "count", "now"}. Output: a list of {"body", "rows", "merged", "ignored", "rejected"}, with
"rows" for a reader that knows the time and "merged" for one that does not.
"""

import json
import random
import sys

import stix2
from stix2 import patterns
from stix2.v20 import Bundle as Bundle20, Indicator as Indicator20
from stix2.v21 import (
    Bundle,
    Identity,
    Indicator,
    IPv4Address,
    KillChainPhase,
    Malware,
    NetworkTraffic,
    ObservedData,
    Relationship,
)

import stix_meaning

CHAIN = KillChainPhase(
    kill_chain_name="lockheed-martin-cyber-kill-chain", phase_name="command-and-control"
)
PAST, FUTURE = "2023-01-01T00:00:00Z", "2027-01-01T00:00:00Z"


class Draw:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.next = 0

    def number(self):
        self.next += 1
        return self.next

    def v4(self):
        number = self.number()
        return f"45.{number >> 8 & 255}.{number & 255}.7"

    def v6(self):
        return f"2a0e:5::{self.number():x}"

    def network(self):
        number = self.number()
        if self.random.random() < 0.5:
            return f"46.{number >> 8 & 255}.{number & 255}.0/24"
        return f"2a0f:{number:x}::/48"

    def address_test(self, traffic):
        """One comparison that names addresses; of traffic, where a port is to stand beside it."""
        v4, v6 = [
            "network-traffic:dst_ref.value" if traffic else path
            for path in ("ipv4-addr:value", "ipv6-addr:value")
        ]
        kind = self.random.randrange(6)
        if kind == 0:
            return patterns.EqualityComparisonExpression(v6, self.v6())
        if kind == 1:
            path = "network-traffic:dst_ref.value"
            return patterns.IsSubsetComparisonExpression(path, self.network())
        if kind == 2:
            listed = [self.v4() for _ in range(self.random.randint(1, 5))]
            return patterns.InComparisonExpression(v4, listed)
        if kind == 3:
            return patterns.OrBooleanExpression(
                [
                    patterns.EqualityComparisonExpression(v4, self.v4())
                    for _ in range(self.random.randint(2, 4))
                ]
            )
        return patterns.EqualityComparisonExpression(v4, self.v4())

    def port_test(self):
        port = self.random.choice([443, 447, 449, 8080, self.random.randint(1, 65535)])
        if self.random.random() < 0.2:
            return patterns.InComparisonExpression(
                "network-traffic:dst_port", sorted({port, 80, 443})
            )
        return patterns.EqualityComparisonExpression("network-traffic:dst_port", port)

    def observation(self):
        ported = self.random.random() < 0.5
        test = self.address_test(ported)
        if ported:
            parts = [test, self.port_test()]
            if isinstance(test, patterns.OrBooleanExpression):
                parts[0] = patterns.ParentheticalExpression(test)
            if self.random.random() < 0.4:
                protocol = self.random.choice(["tcp", "udp", "sctp"])
                parts.append(
                    patterns.EqualityComparisonExpression(
                        "network-traffic:protocols[*]", protocol
                    )
                )
            self.random.shuffle(parts)
            test = patterns.AndBooleanExpression(parts)
        return patterns.ObservationExpression(test)

    def pattern(self):
        """A pattern that can be blocked, as text."""
        if self.random.random() < 0.2:
            some = [self.observation() for _ in range(self.random.randint(2, 3))]
            return str(patterns.OrObservationExpression(some))
        return str(self.observation())

    def odd_pattern(self):
        """One that must not be blocked, and whether it is rejected (or else is about other things)."""
        address = f"ipv4-addr:value = '{self.v4()}'"
        return self.random.choice(
            [
                ("[domain-name:value = 'bad.example']", False),
                ("[file:hashes.'SHA-256' = '" + "0" * 64 + "']", False),
                ("[url:value LIKE 'http%']", False),
                (f"[network-traffic:src_ref.value = '{self.v4()}']", False),
                ("[network-traffic:dst_port = 443]", True),
                (f"[{address} AND domain-name:value = 'bad.example']", True),
                (f"[ipv4-addr:value != '{self.v4()}']", True),
                (f"[{address}] FOLLOWEDBY [domain-name:value = 'x.example']", True),
                (f"[{address}] REPEATS 5 TIMES WITHIN 60 SECONDS", True),
            ]
        )


def indicator(**more):
    return Indicator(pattern_type="stix", valid_from="2024-01-01T00:00:00Z", **more)


def bundle21(draw, now):
    objects = [Identity(name="Größe", identity_class="organization"), stix2.TLP_AMBER]
    malware = Malware(name="Danabot", is_family=True)
    objects.append(malware)
    rows, merged, ignored, rejected = [], [], 0, 0
    for _ in range(draw.random.randint(8, 20)):
        pattern = draw.pattern()
        meaning = stix_meaning.indicators(pattern)
        assert meaning, pattern
        kind = draw.random.randrange(12)
        if kind == 0:
            objects.append(indicator(pattern=pattern, revoked=True))
            ignored += 1
            continue
        if kind == 1:
            odd, bad = draw.odd_pattern()
            objects.append(indicator(pattern=odd))
            ignored, rejected = ignored + (not bad), rejected + bad
            continue
        if kind == 2:
            address = IPv4Address(value=draw.v4())
            traffic = NetworkTraffic(dst_ref=address.id, dst_port=443, protocols=["tcp"])
            objects += [address, traffic]
            objects.append(
                ObservedData(
                    first_observed=PAST, last_observed=PAST, number_observed=1,
                    object_refs=[address.id, traffic.id],
                )
            )
            continue
        more, family = {}, None
        if draw.random.random() < 0.3:
            more["confidence"] = draw.random.randint(0, 100)
        if draw.random.random() < 0.3:
            more["kill_chain_phases"] = [CHAIN]
        if draw.random.random() < 0.3:
            more["object_marking_refs"] = [stix2.TLP_AMBER]
        end = draw.random.choice([None, None, None, "2024-03-01T00:00:00Z", FUTURE])
        if end:
            more["valid_until"] = end
        made = indicator(pattern=pattern, **more)
        objects.append(made)
        if draw.random.random() < 0.4:
            objects.append(Relationship(made, "indicates", malware))
            family = "Danabot"
        merged += [[*each, family] for each in meaning]
        if end and end <= now:
            ignored += 1
            continue
        rows += [[*each, family, more.get("confidence"), end] for each in meaning]
    draw.random.shuffle(objects)
    body = Bundle(objects=objects).serialize(pretty=draw.random.random() < 0.5)
    return {"body": body, "rows": rows, "merged": merged, "ignored": ignored, "rejected": rejected}


def bundle20(draw):
    objects, rows, merged = [], [], []
    for _ in range(draw.random.randint(4, 10)):
        pattern = draw.pattern()
        objects.append(
            Indicator20(pattern=pattern, labels=["malicious-activity"], valid_from="2024-01-01T00:00:00Z")
        )
        for each in stix_meaning.indicators(pattern):
            rows.append([*each, None, None, None])
            merged.append([*each, None])
    body = Bundle20(objects=objects).serialize()
    return {"body": body, "rows": rows, "merged": merged, "ignored": 0, "rejected": 0}


def main():
    asked = json.load(sys.stdin)
    draw = Draw(asked["seed"])
    made = []
    for number in range(asked["count"]):
        draw.next = 0
        made.append(bundle20(draw) if number % 5 == 4 else bundle21(draw, asked["now"]))
    json.dump(made, sys.stdout)


main()
