"""Each test that docs/security.md names as showing something is there."""

import re

from support.server import REPOSITORY


def test_every_test_that_is_named_exists():
    text = (REPOSITORY / "docs/security.md").read_text()
    claims = re.findall(r"`((?:e2e|crates)/\S+?)::(\w+)`", text)
    assert len(claims) > 20
    for file, name in claims:
        source = (REPOSITORY / file).read_text()
        assert re.search(rf"\b(?:def|fn) {name}\b", source), f"{file} has no {name}"
