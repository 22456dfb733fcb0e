"""What looks like a key, or like a place of somebody's, and what does not.

Kinds of fault: a key of a known service that is joined to a word; a key that only its name tells of, however long and
however it is assigned; a word that is taken for a key; a place that a setting or a comment names.
"""

from pathlib import Path

import polars as pl
import pytest

from curation.exchange.release import keys, scan

AWS = "AKIA" + "IOSFODNN7EXAMPLE"
KEYS = {  # what each looks like, made up
    "a private key": "-----BEGIN RSA PRIVATE KEY-----",
    "an API key": "sk-proj-" + "a1B2" * 8,
    "a token of the hub": "hf_" + "aB3d" * 9,
    "a token of GitHub": "ghp_" + "aB3d" * 9,
    "a token of GitLab": "glpat-" + "aB3d" * 5,
    "a key of AWS": AWS,
    "a key of Google": "AIza" + "aB3d-" * 7,
    "a token of Slack": "xoxb-" + "1234567890-ab",
    "a live key of Stripe": "sk_live_" + "aB3d" * 4,
    "a JSON web token": "eyJhbGciOiJIUz.eyJzdWIiOiIxMj.SflKxwRJSMeKKF2",
    "a bearer token": "Bearer " + "aB3d" * 6,
    "a webhook of Discord": "https://discord.com/api/webhooks/" + "1234567890/" + "aB3d" * 17,
    "a token of Telegram": "123456789" + ":AA" + "aB3d" * 8 + "x",
    "a token of DigitalOcean": "dop_v1_" + "0a1b" * 16,
    "a token of Shopify": "shpat_" + "0a1b" * 8,
    "a login of HTTP": "Authorization: Basic " + "bWU6aHVudGVyMg==",
    "a token in a URL": "https://" + "aB3d" * 5 + "@example.org/x.git",
    "a password in a URL": "https://me:hunter2" + "@example.org/x",
    "a key of Azure": "AccountKey=" + "aB3d" * 20 + "==",
    "a token of a package registry": "npm_" + "aB3d" * 9,
    "a key of SendGrid": "SG." + "aB3d" * 5 + "." + "aB3d" * 10,
    "a key that is assigned": "aws_secret_access_key = " + "aB3d/" * 8,
}
SIBLINGS = {  # the same kinds, otherwise written
    "a private key": ["-----BEGIN PGP PRIVATE KEY BLOCK-----", "AGE-SECRET-KEY-1" + "Q5" * 29],
    "a key of Google": ["GOCSPX-" + "aB3d" * 7, "ya29." + "aB3d" * 12],
    "a token of Slack": [
        "xapp-" + "1-A01234567",
        "https://hooks.slack.com/services/" + "T01234567/B01234567/" + "aB3d" * 6,
    ],
    "a token of the hub": ["api_org_" + "aB3d" * 9],
    "a token of a package registry": ["pypi-AgE" + "aB3d" * 20],
    "a token of GitLab": ["GR1348941" + "aB3d" * 5, "glrt-" + "aB3d" * 5],
    "a key of AWS": ["x_" + AWS, "x" + AWS, "0" + AWS],
    "a key that is assigned": [
        "https://example.org/v1?api_key=" + "aB3d" * 7,
        "https://example.org/?token=" + "aB3d" * 4,
        "PASSWORD=" + "aB3d" * 4,
        "Authorization: Token " + "aB3d" * 4,
        "'Authorization': 'Bearer " + "aB3d" * 4 + "'",
        "x-api-key: " + "aB3d" * 5,
        '{\\"secret\\": \\"' + "aB3d" * 5 + '\\"}',
        "private_key%3D" + "aB3d" * 5,
        "WANDB_API_KEY=" + "0a1b" * 10,
        '"api-key": "' + "0a1b" * 8 + '"',
    ],
    "a password in a URL": ["redis://:hunter2" + "@cache:6379", "HTTPS://me:hunter2" + "@example.org"],
}


@pytest.mark.parametrize("what", KEYS)
def test_each_sort_of_key_is_found_in_text_and_table(what: str, tmp_path: Path) -> None:
    text = f"Say {KEYS[what]} and stop."
    (tmp_path / "card.md").write_text(f"fine\n{text}\n")
    rows = pl.DataFrame({"id": [1, 2], "said": [[{"content": "fine"}], [{"content": "fine"}, {"content": text}]]})
    rows.write_parquet(tmp_path / "rows.parquet")
    found = list(scan.scan(tmp_path, ["card.md", "rows.parquet"], {}))
    assert [one.what for one in found] == [what, what]
    assert [one.where for one in found] == ["rows.parquet: said of row 1 (id 2)", "card.md:2"]
    (said,) = scan.say_found(found)
    assert said.startswith(f"rows.parquet: said of row 1 (id 2) and 1 more place: looks like {what}: ")
    assert found[0].text not in said and found[0].mark in said


@pytest.mark.parametrize(("what", "text"), [(what, text) for what in SIBLINGS for text in SIBLINGS[what]])
def test_a_key_is_found_however_it_is_written(what: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text(f"Say {text} and stop.")
    assert [one.what for one in scan.scan(tmp_path, ["card.md"], {})] == [what]


def test_a_place_is_found_wherever_settings_name_it(tmp_path: Path) -> None:
    """Of a machine, a share, a bucket or a folder that is somebody's: in a comment, or in the midst of a text."""
    places = [
        "me@node17.corp", "node17.corp", "me@node17:/x", "me@10.0.0.1", "10.1.2.3:80", "172.20.0.1", "192.168.1.1",
        r"\\server\share", r"C:\Users\me", "C:/Users/me", "$HOME/x", "${SCRATCH}/x", r"%USERPROFILE%\x", "~me/x", "~/x",
        "s3://ours/x", "gs://ours", "file:///x", "ssh://me@x.org/y",
    ]  # fmt: skip
    plain = [
        "172.32.0.1",
        "10.1.2.3.4",
        "gemma-2-27b-it@together",
        r"'\\s\\d'",
        "x.org",
        "hf://datasets/org/x",
        "a/b/c",
    ]
    for text in ("# {}", "a: 'see {} there'", "# ({}), {}."):
        (tmp_path / "params.yaml").write_text("".join(f"{text.format(one, one)}\n" for one in [*places, *plain]))
        lines = {one.where for one in scan.scan(tmp_path, ["params.yaml"], {})}
        assert lines == {f"params.yaml:{number}" for number in range(1, len(places) + 1)}, text


def test_a_private_host_is_found_wherever_settings_name_it(tmp_path: Path) -> None:
    """In a comment, or in the midst of a text: what is a URL as a whole has lost its name before."""
    lines = [
        "# was http://node17:8000/v1", "engine: vllm at 'http://judge.lan/v1'", "# https://10.1.2.3/",
        'a: "http://127.0.0.1:80/v1"', "b: http://localhost", '"http://localhost"', "http://private-host:1/v1", "http://x.org",
    ]  # fmt: skip
    (tmp_path / "params.yaml").write_text("\n".join(lines))
    found = list(scan.scan(tmp_path, ["params.yaml"], {}))
    assert [one.where for one in found] == [f"params.yaml:{number}" for number in (1, 2, 3)]
    assert {one.what for one in found} == {"the URL of a private host"}
    assert "looks like the URL of a private host: http://node17:8000/v1; take it out" in scan.say_found(found)[0]


def test_a_key_that_is_accepted_hides_no_other_of_the_same_text(tmp_path: Path) -> None:
    other = "AKIA" + "ANOTHEROTHERXYZ1"
    pl.DataFrame({"id": [1], "said": [f"not {AWS} but {other}"]}).write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "card.md").write_text(f"not {AWS} but {other}")
    for name in ("rows.parquet", "card.md"):
        assert [one.text for one in scan.scan(tmp_path, [name], {})] == [AWS, other]


@pytest.mark.parametrize(
    "text",
    ["sk-learn and sk-ip", "hf_hub", "AKIAhello", "task-based-evaluation-of-models", "a/b/c", "http://x.org/me@y:z",
     "eyJ.", "the bearer of news", "12:30@noon", "api_key_env: THE_KEY_OF_OUR_SERVER_FOR_ALL_JUDGES",
     "Basic mathematics and basic principles", "authorization: basic authentication", "password: at least 8 letters",
     "the token = tokenizer.decode(ids[0])", "token = self_attention_layer1_output", "secret: Elementary, my dear",
     "https://somebody-of-ours@example.org", "shelf_" + "a" * 40, "LAKIA" + "GHLMNPQRSTVWYACDEF", "12:30:45.123456789",
     "token = word2vec_model.of", "token: tokenizer.convert_ids_to_tokens_of_the_whole_sequence",
     "a secret=correct.horse.battery.staple.in.a.row",
     "the access key: under the mat", "an api_key = os.environ['THE_KEY_OF_OUR_SERVER_FOR_ALL_JUDGES']"],
)  # fmt: skip
def test_what_is_no_key_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text(text)
    assert list(scan.scan(tmp_path, ["card.md"], {})) == []


def test_the_value_of_a_variable_whose_name_says_key_is_found(tmp_path: Path) -> None:
    """Whether params.yaml names it or not."""
    names = ["HF_TOKEN", "OPENAI_API_KEY", "DB_PASSWORD", "MY_SECRET", "aws_secret_access_key", "PGPASSWORD"]
    assert keys.name_keys(dict.fromkeys([*names, "HOME", "KEYBOARD", "MONKEY"], "x")) == set(names)
