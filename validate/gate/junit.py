"""A gate as JUnit XML: a test suite for each scenario with its metrics as properties, and one for the hosts.

Schemas in use (Jenkins's junit-10.xsd among them) allow properties of a suite only, not of a test case; so each
scenario is a suite of one test.
"""

import re
from xml.etree import ElementTree as ET

from validate.gate.result import Gate

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold (section 2.2)."""


def document(gate: Gate) -> bytes:
    """The whole document."""
    root = ET.Element("testsuites", name=_text(f"psmodel gate {gate.suite}"), time=f"{gate.duration_s:.3f}")
    totals = {"tests": 0, "failures": 0, "errors": 0}
    suites = [*_scenarios(gate), *_hosts(gate)]
    for suite in suites:
        root.append(suite)
        for name in totals:
            totals[name] += int(suite.get(name, "0"))
    for name, count in totals.items():
        root.set(name, str(count))
    ET.indent(root)
    whole: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return whole


def _scenarios(gate: Gate) -> list[ET.Element]:
    suites = []
    broken = {b.scenario: b.reason for b in gate.broken}
    skipped = {u.scenario: u.reason for u in gate.unjudged}
    names = dict.fromkeys([*(c.scenario for c in gate.checks), *broken, *skipped])
    for name in names:
        checks = [c for c in gate.checks if c.scenario == name]
        properties: dict[str, str] = {}
        for c in checks:
            values = {"measured": c.measured_s, "expected": c.expected_s, "low": c.low_s, "high": c.high_s}
            properties |= {f"{c.metric}.{key}": f"{value:.9g}" for key, value in values.items()}
            properties[f"{c.metric}.p_value"] = f"{c.p_value:.3g}"
        suite, case = _suite(gate, name, properties)
        if failed := [c for c in checks if not c.passed]:
            suite.set("failures", "1")
            text = "\n".join(c.sentence for c in failed)
            case.append(_said("failure", failed[0].sentence, text))
        if name in broken:
            suite.set("errors", "1")
            case.append(_said("error", broken[name], broken[name]))
        elif not checks:
            suite.set("skipped", "1")
            case.append(_said("skipped", skipped[name], skipped[name]))
        suites.append(suite)
    return suites


def _hosts(gate: Gate) -> list[ET.Element]:
    suites: list[ET.Element] = []
    if gate.hosts is None:
        return suites
    for host in dict.fromkeys(e.host for e in gate.hosts.estimates):
        estimates = [e for e in gate.hosts.estimates if e.host == host]
        properties: dict[str, str] = {}
        for e in estimates:
            values = {"value": e.value, "low": e.low, "high": e.high, "relative": e.relative}
            properties |= {f"{e.aspect}.{key}": f"{value:.9g}" for key, value in values.items()}
        suite, case = _suite(gate, f"host {host}", properties)
        if slow := [e for e in estimates if e.slow]:
            suite.set("failures", "1")
            case.append(_said("failure", slow[0].sentence, "\n".join(e.sentence for e in slow)))
        suites.append(suite)
    return suites


def _suite(gate: Gate, name: str, properties: dict[str, str]) -> tuple[ET.Element, ET.Element]:
    """A suite of one test, and the test."""
    suite = ET.Element("testsuite", name=_text(name), tests="1", failures="0", errors="0", skipped="0")
    suite.set("timestamp", gate.started_at)
    suite.set("package", _text(gate.suite))
    parent = ET.SubElement(suite, "properties")
    for key, value in properties.items():
        ET.SubElement(parent, "property", name=_text(key), value=_text(value))
    return suite, ET.SubElement(suite, "testcase", name=_text(name), classname=_text(gate.suite))


def _said(kind: str, message: str, text: str) -> ET.Element:
    element = ET.Element(kind, message=_text(message))
    element.text = _text(text)
    return element


def _text(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
