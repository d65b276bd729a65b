"""The key with a service: AWS KMS (moto's server) and Vault (a stand-in, see support/vault.py). Slow, away and back; rotation;
another key; moving a folder; and what whoever has the disk, but not the service, can read."""

import json
import shutil
import subprocess

import pytest

from support.certs import Authority
from support.kms import Kms
from support.server import BINARY, Server
from support.vault import Vault
from support.wait import until

TENANTS = "tenants: [default, shop, late]\n"


@pytest.fixture
def vault(tmp_path):
    one = Vault(tmp_path, Authority(tmp_path / "ca")).start()
    yield one
    one.stop()


@pytest.fixture
def kms(tmp_path):
    one = Kms(tmp_path / "kms").start()
    yield one
    one.kill()


def without_key_file(server):
    """The configuration as it is with a service: without `key_file`."""
    lines = server.config.read_text().splitlines(keepends=True)
    server.config.write_text("".join(line for line in lines if not line.startswith("key_file:")))
    return server


def serving(make_server, service, name="server"):
    return without_key_file(make_server(name, settings=service.settings() + TENANTS))


def run(*arguments, timeout=120, env=None):
    command = [str(BINARY), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=env)


def verified(server):
    done = run("verify", "--config", server.config)
    assert done.returncode == 0, done.stdout + done.stderr


def send(server, tenant, word, first, count):
    body = "".join(json.dumps({"message": f"{word} {n}", "n": n}) + "\n" for n in range(first, first + count))
    with server.connect() as connection:
        headers = {"content-type": "application/x-ndjson", "x-logkeep-tenant": tenant}
        return connection.post("/api/v1/ingest/ndjson", body.encode(), headers)


def stored(server, tenant, word, first, count):
    answer = send(server, tenant, word, first, count)
    assert answer.status == 200, answer.text


def count(server, word):
    return len(server.all_records(word))


def no_secret(server, *secrets):
    """Nothing secret is in what the server said, wrote beside its data, or prints of its configuration."""
    printed = run("config", "print", "--config", server.config).stdout
    said = "".join(path.read_text(errors="replace") for path in server.folder.glob("std*"))
    for secret in secrets:
        assert secret not in printed + said
        for path in server.data.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("kind", ["vault", "kms"])
def test_a_service_keeps_the_key(make_server, request, kind):
    service = request.getfixturevalue(kind)
    server = serving(make_server, service).start()
    stored(server, "default", "kept", 0, 300)
    stored(server, "shop", "kept", 300, 50)
    server.stop()
    server.start()
    stored(server, "default", "kept", 350, 50)
    server.kill()
    verified(server)
    server.start()
    assert count(server, "kept") == 350, "those of the default tenant"
    assert not server.key.exists() and not list(server.folder.glob("*.key")), "there is no key file"
    rotated = run("keys", "rotate", "--config", server.config)
    assert rotated.returncode == 0 and "by the server" in rotated.stdout, rotated.stdout + rotated.stderr
    assert "generation 2" in rotated.stdout
    server.kill()
    again = run("keys", "rotate", "--config", server.config)
    assert again.returncode == 0 and "generation 3" in again.stdout, again.stdout + again.stderr
    verified(server)
    server.start()
    assert count(server, "kept") == 350
    no_secret(server, service.token if kind == "vault" else service.secret)


def test_credentials_of_the_environment_are_taken(make_server, kms):
    server = without_key_file(make_server(settings=kms.settings(by_profile=False)))
    refused = run("config", "check", server.config)
    assert refused.returncode == 0, refused.stdout
    server.wrap = ["env", "-u", "AWS_PROFILE", "AWS_ACCESS_KEY_ID=AKIATEST", f"AWS_SECRET_ACCESS_KEY={kms.secret}"]
    # `env` becomes the program, so there is no process between.
    server.pid = lambda: server.process.pid
    server.start()
    server.ingest([{"message": "environment"}])
    assert count(server, "environment") == 1


def test_a_derived_key_of_vault_binds_the_context_too(make_server, tmp_path):
    vault = Vault(tmp_path, derived=True).start()
    server = serving(make_server, vault).start()
    stored(server, "default", "derived", 0, 20)
    server.kill()
    verified(server)
    vault.stop()


def test_old_versions_of_vaults_key_may_go_after_a_rotation(make_server, vault):
    server = serving(make_server, vault).start()
    stored(server, "default", "version", 0, 100)
    stored(server, "shop", "version", 0, 100)
    assert run("keys", "rotate", "--config", server.config).returncode == 0
    vault.least_version = 2
    server.kill()
    verified(server)
    server.start()
    assert count(server, "version") == 100
    stored(server, "shop", "version", 100, 5)


def test_keys_at_hand_go_on_and_new_ones_wait_while_the_service_is_away(make_server, vault):
    server = serving(make_server, vault).start()
    stored(server, "default", "away", 0, 50)
    vault.stop()
    stored(server, "default", "away", 50, 50)
    assert count(server, "away") == 100, "who needs no new key notices nothing"
    refused = send(server, "late", "away", 0, 5)
    assert refused.status == 503 and "retry-after" in refused.headers, f"{refused.status} {refused.text}"
    assert "Vault" in refused.text and "cannot be asked" in refused.text, refused.text
    vault.start()
    until(lambda: send(server, "late", "away", 0, 5).status == 200, "it recovers by itself")
    vault.sealed = True
    server.stop()
    server.spawn()
    until(lambda: "waiting for the key provider" in server.last_words(), "it says what it waits for")
    assert "Vault is sealed" in server.last_words() and server.process.poll() is None
    vault.sealed = False
    until(server._ready, "it starts when the service is back")
    assert count(server, "away") == 100
    told = server.answered("/api/v1/audit", q="event_name:audit.keys.unreachable")["rows"]
    assert len(told) == 1 and int(told[0]["more"]["audit.seconds"]) >= 1, told
    no_secret(server, vault.token)


def test_a_slow_service_delays(make_server, vault):
    server = serving(make_server, vault).start()
    vault.delay_s = 1.0
    stored(server, "late", "slow", 0, 10)
    asked = len(vault.asked)
    stored(server, "late", "slow", 10, 1000)
    assert len(vault.asked) == asked, "once a tenant's key is at hand nobody is asked"


def test_a_silent_kms_comes_back(make_server, kms):
    server = serving(make_server, kms).start()
    stored(server, "default", "silent", 0, 20)
    kms.pause()
    refused = send(server, "late", "silent", 0, 5)
    assert refused.status == 503 and "AWS KMS" in refused.text, f"{refused.status} {refused.text}"
    stored(server, "default", "silent", 20, 20)
    kms.resume()
    until(lambda: send(server, "late", "silent", 0, 5).status == 200, "it recovers by itself")
    assert count(server, "silent") == 40


def test_a_rotation_waits_for_a_service_that_is_silent_and_senders_do_not(make_server, kms):
    server = serving(make_server, kms).start()
    stored(server, "default", "rotates", 0, 20)
    kms.pause()
    command = [str(BINARY), "keys", "rotate", "--config", str(server.config)]
    rotating = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: "the keys could not be rotated" in server.last_words(), "the server says that it waits")
    stored(server, "default", "rotates", 20, 20)
    kms.resume()
    out, err = rotating.communicate(timeout=120)
    assert rotating.returncode == 0 and "generation 2" in out, out + err
    assert count(server, "rotates") == 40
    server.kill()
    verified(server)


def test_a_renewed_token_is_taken_up(make_server, vault):
    server = serving(make_server, vault).start()
    vault.renew_token()
    stored(server, "late", "renewed", 0, 5)
    vault.token_file.chmod(0o644)
    refused = send(server, "shop", "renewed", 0, 5)
    assert refused.status == 503 and "open to everybody" in refused.text, refused.text


def test_rotation_under_load_loses_nothing(make_server, vault):
    server = serving(make_server, vault).start()
    sent = 0
    for _ in range(3):
        rotating = subprocess.Popen(
            [str(BINARY), "keys", "rotate", "--config", str(server.config)], stdout=subprocess.PIPE, text=True
        )
        while rotating.poll() is None:
            stored(server, "default", "rotating", sent, 20)
            sent += 20
        assert rotating.returncode == 0
    assert count(server, "rotating") == sent > 0
    server.kill()
    verified(server)


def test_another_key_or_altered_wrapped_keys_open_nothing(make_server, vault, tmp_path):
    server = serving(make_server, vault).start()
    stored(server, "default", "other", 0, 20)
    server.stop()
    kept = vault.versions
    vault.versions = [b"x" * 32]
    refused = run("verify", "--config", server.config)
    assert refused.returncode == 1 and "does not open" in refused.stderr, refused.stderr
    assert not server.try_start()
    vault.versions = kept
    wrapped = server.data / "catalog.key"
    original = wrapped.read_bytes()
    for place in (0, 4, len(original) // 2, len(original) - 1):
        wrapped.write_bytes(original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :])
        refused = run("verify", "--config", server.config)
        assert refused.returncode == 1 and "catalog.key" in refused.stderr, f"{place}: {refused.stderr}"
    wrapped.write_bytes(original)
    verified(server)


def test_the_disk_without_the_service_is_nothing(make_server, vault, tmp_path):
    canary = "canary-of-the-disk"
    server = serving(make_server, vault).start()
    stored(server, "default", canary, 0, 200)
    stored(server, "shop", canary, 0, 200)
    server.stop()
    # Root's copy of everything there is on the disk, while nobody can ask the service.
    vault.stop()
    stolen = tmp_path / "stolen"
    shutil.copytree(server.folder, stolen)
    shutil.copytree(vault.token_file.parent, stolen / "vault")
    for path in stolen.rglob("*"):
        assert not path.is_file() or canary.encode() not in path.read_bytes(), path
    config = stolen / "logkeep.yaml"
    config.write_text(config.read_text().replace(str(server.data), str(stolen / "data")))
    for command in (["verify"], ["keys", "rotate"], ["backup", "--to", tmp_path / "copy"]):
        refused = run(*command, "--config", config)
        assert refused.returncode == 1 and "cannot be asked" in refused.stderr, refused.stderr
        assert canary not in refused.stdout + refused.stderr
    # Nor does a key file of one's own help.
    local = stolen / "local.yaml"
    local.write_text(f'data_dir: "{stolen / "data"}"\nkey_file: "{stolen / "key"}"\n')
    refused = run("serve", "--config", local)
    assert refused.returncode == 1 and "key" in refused.stderr, refused.stderr
    vault.start()
    verified(server)


def test_a_folder_moves_between_providers(make_server, vault, kms, tmp_path):
    first = make_server(settings=TENANTS).start()
    stored(first, "default", "moved", 0, 200)
    first.stop()
    first.start()
    stored(first, "shop", "moved", 0, 100)
    stored(first, "default", "moved", 200, 50)
    first.kill()
    objects = {path: path.read_bytes() for path in (first.data / "objects").rglob("*") if path.is_file()}

    def config(name, keys):
        file = first.folder / f"{name}.yaml"
        lines = [line for line in first.config.read_text().splitlines(keepends=True) if not line.startswith("key_file:")]
        file.write_text("".join(lines) + keys)
        return file

    back = first.folder / "back.yaml"
    back.write_text(first.config.read_text().replace(str(first.key), str(first.folder / "other-key")))
    steps = [first.config, config("vault", vault.settings()), config("kms", kms.settings()), back]
    for old, new in zip(steps, steps[1:], strict=False):
        moved = run("keys", "move", "--from", old, "--to", new)
        assert moved.returncode == 0, moved.stdout + moved.stderr
        refused = run("verify", "--config", old)
        assert refused.returncode == 1 and "catalog.key" in refused.stderr, refused.stderr
        done = run("verify", "--config", new)
        assert done.returncode == 0, done.stdout + done.stderr
    assert all(path.read_bytes() == content for path, content in objects.items()), "no object is rewritten"
    first.key.unlink()
    first.config = back
    first.start()
    assert count(first, "moved") == 250
    again = run("keys", "move", "--from", steps[1], "--to", back)
    assert again.returncode == 1 and "in use" in again.stderr, again.stderr


def test_a_backup_is_restored_with_the_service(make_server, vault, tmp_path):
    server = serving(make_server, vault).start()
    stored(server, "default", "backed", 0, 100)
    assert run("keys", "rotate", "--config", server.config).returncode == 0
    done = run("backup", "--config", server.config, "--to", tmp_path / "backups")
    assert done.returncode == 0 and "only Vault" in done.stdout, done.stdout + done.stderr
    server.stop()
    copy = without_key_file(Server(tmp_path / "copy", vault.settings() + TENANTS))
    done = run("restore", "--config", copy.config, "--from", tmp_path / "backups")
    assert done.returncode == 0, done.stdout + done.stderr
    copy.start()
    assert count(copy, "backed") == 100
    rotated = run("keys", "rotate", "--config", copy.config)
    assert rotated.returncode == 0 and "generation 3" in rotated.stdout, rotated.stdout + rotated.stderr
    copy.stop()
