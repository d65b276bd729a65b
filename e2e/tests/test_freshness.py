"""Searchable when acknowledged: the very next query finds the record."""


def test_the_next_query_finds_it(server, word, say, setting):
    times = setting("E2E_FRESH", 200)
    found = 0
    with server.connect() as connection:
        for n in range(times):
            one = f"{word}x{n}x"
            answer = connection.post("/api/v1/ingest/ndjson", f'{{"message": "fresh {one}"}}\n'.encode())
            assert answer.status == 200, answer.text
            # Without a range: the last fifteen minutes until now, as a person asks.
            answer = connection.get(f"/api/v1/logs?q={one}")
            assert answer.status == 200, answer.text
            found += [record["body"] for record in answer.json()["records"]] == [f"fresh {one}"]
    say(f"freshness: {found} of {times} found by the very next query")
    assert found == times
