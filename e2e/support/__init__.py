"""What the tests stand on: a server to start and kill, its API, and waiting for conditions only."""
