from __future__ import annotations

import hashlib

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from jupyter_authorized_server import credentials
from jupyter_authorized_server.credentials import (
    check_password_rules,
    hash_password,
    needs_rehash,
    new_secret,
    secret_matches,
    split_secret,
    verify_password,
)
from jupyter_authorized_server.errors import InvalidName


@pytest.fixture(scope="module")
def hashed() -> str:
    return hash_password("correct horse")


def test_a_password_matches_its_own_hash_only(hashed: str) -> None:
    assert verify_password(hashed, "correct horse") is True
    assert verify_password(hashed, "correct horsf") is False
    assert verify_password(hashed, "") is False


def test_a_hash_is_argon2id_of_the_rfc_and_salted(hashed: str) -> None:
    assert extract_parameters(hashed) == RFC_9106_LOW_MEMORY
    assert hash_password("correct horse") != hashed
    assert "correct horse" not in hashed


def test_nobody_has_a_password(monkeypatch: pytest.MonkeyPatch, hashed: str) -> None:
    assert verify_password(None, "correct horse") is False
    # Not even whoever guessed the text that nobody knows.
    monkeypatch.setattr(credentials, "_NOBODY", hashed)
    assert verify_password(None, "correct horse") is False


def test_verifying_for_nobody_does_the_same_work_as_for_somebody(
    monkeypatch: pytest.MonkeyPatch, hashed: str
) -> None:
    asked: list[str] = []
    real = PasswordHasher.verify

    def watched(self: PasswordHasher, hash: str, password: bytes) -> bool:  # noqa: A002  # why: as argon2 calls it
        asked.append(hash)
        return real(self, hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    verify_password(None, "correct horsf")
    verify_password(hashed, "correct horsf")
    assert [extract_parameters(each) for each in asked] == [RFC_9106_LOW_MEMORY] * 2


def test_the_hash_of_nobody_has_todays_parameters() -> None:
    assert needs_rehash(credentials._NOBODY) is False


def test_a_hash_with_other_parameters_or_none_at_all_needs_a_new_one(hashed: str) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    assert needs_rehash(hashed) is False
    assert needs_rehash(weak) is True
    assert needs_rehash("rubbish") is True
    assert verify_password(weak, "correct horse") is True


@pytest.mark.parametrize(
    "password", ["\ud800horse battery", "x" * 10_000_000, b"correct horse", None, 7]
)
def test_what_can_be_no_password_is_refused_without_raising(hashed: str, password: object) -> None:
    assert verify_password(hashed, password) is False


@pytest.mark.parametrize("broken", ["", "rubbish", "$argon2id$v=19$m=65536,t=3,p=4$x$y", "ü"])
def test_a_broken_hash_lets_nobody_in(broken: str) -> None:
    assert verify_password(broken, "correct horse") is False


@pytest.mark.parametrize("password", ["x" * 8, "x" * 1024, "пароль пароль", "a b c d e"])
def test_a_password_of_8_to_1024_characters_is_accepted(password: str) -> None:
    check_password_rules(password)
    assert verify_password(hash_password(password), password) is True


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("x" * 7, "too short"),
        ("", "too short"),
        ("x" * 1025, "too long"),
        ("x" * 10_000_000, "too long"),
        ("secret\0secret", "cannot be typed"),
        ("secret\ud800secret", "cannot be typed"),
        (b"secretsecret", "is text, not bytes"),
        (None, "is text, not NoneType"),
    ],
)
def test_a_password_that_breaks_a_rule_is_refused_unseen(password: object, says: str) -> None:
    with pytest.raises(InvalidName, match=says) as refused:
        check_password_rules(password)
    assert "secretsecret" not in str(refused.value)


def test_a_longest_password_of_wide_characters_still_verifies() -> None:
    password = "\N{GRINNING FACE}" * 1024
    check_password_rules(password)
    assert verify_password(hash_password(password), password) is True


def test_half_a_character_cannot_be_hashed() -> None:
    with pytest.raises(InvalidName, match="not valid Unicode"):
        hash_password("secret\ud800secret")


def test_a_secret_carries_its_id_and_matches_its_hash() -> None:
    secret = new_secret()
    assert split_secret(secret.text) == secret.id
    assert secret.hash == hashlib.sha256(secret.text.encode()).hexdigest()
    assert secret_matches(secret.text, secret.hash) is True


def test_no_two_secrets_are_alike() -> None:
    made = [new_secret() for _ in range(1000)]
    assert len({secret.id for secret in made}) == 1000
    assert len({secret.text for secret in made}) == 1000


def test_a_secret_is_not_shown_by_its_repr() -> None:
    secret = new_secret()
    assert repr(secret) == f"Secret(id={secret.id!r})"


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        b"0123456789ab.x",
        "",
        ".",
        "0123456789ab",
        "0123456789ab.",
        "0123456789ab." + "x" * 42,
        "0123456789ab." + "x" * 44,
        "0123456789AB." + "x" * 43,
        "0123456789ab." + "x" * 43 + "\n",
        "0123456789ab." + "é" * 43,
        "\u0660123456789ab." + "x" * 43,
        "\ud800",
        "x" * 10_000_000,
    ],
)
def test_what_can_be_no_secret_has_no_id_and_matches_nothing(text: object) -> None:
    assert split_secret(text) is None
    assert secret_matches(text, new_secret().hash) is False


@pytest.mark.parametrize("hash_", [None, 7, b"x", "", "é", "\ud800", "x" * 64])
def test_a_secret_matches_no_other_hash(hash_: object) -> None:
    assert secret_matches(new_secret().text, hash_) is False


def test_bytes_never_match_though_they_hash_alike() -> None:
    secret = new_secret()
    assert secret_matches(secret.text.encode(), secret.hash) is False
    assert secret_matches(secret.text, secret.hash.encode()) is False


def test_a_changed_secret_does_not_match() -> None:
    secret = new_secret()
    changed = secret.text[:-1] + ("A" if secret.text[-1] != "A" else "B")
    assert secret_matches(changed, secret.hash) is False
    assert secret_matches(secret.text, secret.hash.upper()) is False
