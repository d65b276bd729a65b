"""Each test that a page names as showing something is there."""

import re

from support.server import REPOSITORY

NAMED = r"`((?:e2e|crates)/\S+?)::(\w+)`"
QUIRKS = "crates/intake/src/tests/quirks"


def check(claims):
    assert len(claims) > 20
    for file, name in claims:
        source = (REPOSITORY / file).read_text()
        assert re.search(rf"\b(?:def|fn) {name}\b", source), f"{file} has no {name}"


def test_every_test_that_is_named_exists():
    check(re.findall(NAMED, (REPOSITORY / "docs/security.md").read_text()))


def test_every_quirk_has_its_test_and_every_test_its_line():
    """Names without a file are of the one that stands above their table."""
    claims = []
    for section in (REPOSITORY / "docs/receivers-quirks.md").read_text().split("\n## ")[1:]:
        home = re.search(r"^`(crates/\S+\.rs)`$", section, re.MULTILINE)
        for line in section.splitlines():
            if line.startswith(("|", "Tests: ")):
                last = line.strip().strip("|").split("|")[-1]
                claims += re.findall(NAMED, line)
                claims += [(home[1], name) for name in re.findall(r"`(\w+)`", last)] if home else []
    check(claims)
    for file in (REPOSITORY / QUIRKS).iterdir():
        for name in re.findall(r"#\[tokio::test.*\]\nasync fn (\w+)", file.read_text()):
            assert (f"{QUIRKS}/{file.name}", name) in claims, f"docs/receivers-quirks.md does not name {name}"
