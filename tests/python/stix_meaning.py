"""What a pattern means for packets, by the pattern tree of the library `stix2`.

Written from docs/feeds.md. `None` stands for "nothing may be taken from it": the pattern asks for more than a
packet's end shows.
"""

import ipaddress

from stix2 import patterns
from stix2.pattern_visitor import create_pattern_object

ADDRESS = {"ipv4-addr:value", "ipv6-addr:value", "network-traffic:dst_ref.value"}
PORT = "network-traffic:dst_port"
PROTOCOL = "network-traffic:protocols[*]"


class More(Exception):
    """It says more than an address and a port."""


def indicators(pattern):
    """A sorted list of [prefix, protocol or None, port or None]; None if nothing may be taken."""
    try:
        found = observation(create_pattern_object(pattern, version="2.1"))
        return sorted({each for one in found for each in expanded(one)}, key=repr)
    except More:
        return None


def observation(node):
    if isinstance(node, patterns.ParentheticalExpression):
        return observation(node.expression)
    if isinstance(node, patterns.OrObservationExpression):
        return [one for operand in node.operands for one in observation(operand)]
    if isinstance(node, patterns.ObservationExpression):
        return comparison(node.operand)
    raise More(type(node).__name__)


def comparison(node):
    """Alternatives: dictionaries of sets, all of whose parts must hold together."""
    if isinstance(node, patterns.ParentheticalExpression):
        return comparison(node.expression)
    if isinstance(node, patterns.OrBooleanExpression):
        return [one for operand in node.operands for one in comparison(operand)]
    if isinstance(node, patterns.AndBooleanExpression):
        met = [{}]
        for operand in node.operands:
            met = [both(one, other) for one in met for other in comparison(operand)]
        return met
    path = str(node.lhs).replace("'", "")
    if node.negated or node.operator not in ("=", "IN", "ISSUBSET"):
        raise More(node.operator)
    values = node.rhs.value if node.operator == "IN" else [node.rhs]
    values = [getattr(value, "value", value) for value in values]
    if path in ADDRESS:
        return [{"nets": {str(ipaddress.ip_network(value)) for value in values}}]
    if path == PORT:
        ports = {int(value) for value in values}
        if not ports <= set(range(1, 65536)):
            raise ValueError("no port")
        return [{"ports": ports}]
    if path == PROTOCOL:
        return [{"protocols": set(values)}]
    raise More(path)


def both(one, other):
    if one.keys() & other.keys():
        raise More("two of a kind at once")
    return {**one, **other}


def expanded(one):
    if "nets" not in one:
        raise More("no address")
    for net in one["nets"]:
        for port in one.get("ports", {None}):
            for protocol in one.get("protocols", {None}):
                if protocol is not None and port is None:
                    raise More("a protocol alone")
                yield (net, protocol, port)
