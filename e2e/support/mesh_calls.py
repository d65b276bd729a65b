"""Calls as access logs of meshes tell them, read from each line by hand: what `docs/api.md` says, said a second time."""

import re
from collections import defaultdict
from dataclasses import dataclass

ORDER = ["spans", "caller_proxy", "callee_proxy", "caller_connections", "callee_connections"]
OF_SERVICES = ["spans", "callee_proxy", "caller_proxy", "callee_connections", "caller_connections"]
BROKEN = set("UF UH UT UO UC UR URX UPE NR NC LR LH DT DPE FI SI OM DF UMSDR".split())


@dataclass
class Call:
    """One call as one proxy tells it."""

    by: str
    caller: str | None
    callee: str | None
    ms: float | None
    failed: bool
    mesh: str
    mtls: str | None = None


def of_line(line):
    """The call that a line of the bench is of; None if it is of an application or of Kubernetes."""
    if "client.addr" in line:
        identity = line["client.id"]
        caller = None if identity == "-" else identity.split(".")[0]
        ms = int(line["total_ns"]) / 1e6
        return Call("callee_proxy", caller, line["service"], ms, int(line["status"]) >= 500, "linkerd", caller and "claimed")
    cluster = line.get("upstream_cluster")
    if cluster is None:
        return None
    failed = line["response_code"] >= 500 or not BROKEN.isdisjoint(line["response_flags"].split(","))
    if cluster.startswith("inbound|"):
        return Call("callee_proxy", None, line["service"], line["duration"], failed, "istio")
    callee = re.fullmatch(r"outbound\|\d+\|\|([^.]+)\..+\.svc\.cluster\.local", cluster)[1]
    return Call("caller_proxy", line["service"], callee, line["duration"], failed, "istio")


def percentile(values, part):
    """As SQL has it: between two neighbours in proportion."""
    values = sorted(values)
    place = part * (len(values) - 1)
    low = int(place)
    return values[low] + (place - low) * (values[min(low + 1, len(values) - 1)] - values[low])


def chosen(calls, order):
    """Whose figures are shown, and what each saw."""
    seen = {by: sum(call.by == by for call in calls) for by in ORDER}
    requests = [by for by in order if seen[by] and "connections" not in by]
    rest = requests or [by for by in order if seen[by]]
    most = max(seen[by] for by in rest)
    return next(by for by in rest if seen[by] * 10 >= most * 9), seen


def figures(counted, calls, order):
    by, seen = chosen(calls, order)
    calls = [call for call in calls if call.by == by]
    errors = sum(call.failed for call in calls)
    took = [call.ms for call in calls if call.ms is not None]
    percentiles = {f"p{round(100 * part)}": percentile(took, part) for part in [0.5, 0.95, 0.99]}
    return {
        counted: len(calls),
        "errors": errors,
        "error_ratio": errors / len(calls),
        "duration_ms": percentiles,
        "measured_by": by,
        "seen_by": seen,
    }


def services(calls):
    each = defaultdict(list)
    for call in calls:
        if call.callee:
            each[call.callee].append(call)
    return {name: figures("requests", some, OF_SERVICES) for name, some in each.items()}


def edges(calls):
    each = defaultdict(list)
    for call in calls:
        if call.caller:
            each[call.caller, call.callee].append(call)
    return {ends: {**figures("calls", some, ORDER), **said(some)} for ends, some in each.items()}


def said(calls):
    """The meshes on both sides, and what is said of mutual TLS."""
    sides = {side: [call for call in calls if call.by.startswith(side)] for side in ["callee", "caller"]}
    mesh = {side: max((call.mesh for call in some), default=None) for side, some in sides.items()}
    for some in sides.values():
        counts = {state: sum(call.mtls == state for call in some) for state in ["plaintext", "unproven", "claimed", "proven"]}
        if any(counts.values()):
            return {"mesh": mesh, "mtls": {"state": next(state for state in counts if counts[state]), **counts}}
    return {"mesh": mesh, "mtls": None}
