"""The API key in an error: gone in whatever form it comes, with nothing else; and never looked for in what a model
says."""

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import OpenLedger, Serve
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from server import Answer, failing, good, shaped
from test_chat import KEY, Ratings, call, replies

from curation.calls import upkeep
from curation.calls.call import Reply
from curation.calls.chat import HttpEngine
from curation.calls.ledger import Ledger
from curation.calls.redaction import SHORT, redact
from curation.core.errors import CurationError

SPECIAL = r"""sk-\"p\/l'a&n<t>+%2f=;#u0041"""
NAMED = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&apos;",
    "_": "&lowbar;",
    "+": "&plus;",
    "/": "&sol;",
    "=": "&equals;",
    "\\": "&bsol;",
}
# One character, written as somebody's encoder writes it.
FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda c: c,
    "other case": str.swapcase,
    "JSON": lambda c: json.dumps(c)[1:-1],
    "JSON in JSON": lambda c: json.dumps(json.dumps(c))[3:-3],
    "PHP's": lambda c: json.dumps(c)[1:-1].replace("/", r"\/"),
    "PHP's in JSON": lambda c: json.dumps(json.dumps(c)[1:-1].replace("/", r"\/"))[1:-1],
    "u": lambda c: f"\\u{ord(c):04x}",
    "U": lambda c: f"\\u{ord(c):04X}",
    "u in JSON": lambda c: f"\\\\u{ord(c):04x}",
    "u in JSON in JSON": lambda c: f"\\\\\\\\u{ord(c):04X}",
    "JavaScript's": lambda c: f"\\u{{{ord(c):x}}}",
    "Python's": lambda c: f"\\U{ord(c):08x}",
    "x": lambda c: f"\\x{ord(c):02x}",
    "X": lambda c: f"\\x{ord(c):02X}",
    "URL": lambda c: f"%{ord(c):02X}",
    "url": lambda c: f"%{ord(c):02x}",
    "URL of a URL": lambda c: f"%25{ord(c):02X}",
    "decimal": lambda c: f"&#{ord(c)};",
    "decimal, padded": lambda c: f"&#{ord(c):05d};",
    "hexadecimal": lambda c: f"&#x{ord(c):x};",
    "HEXADECIMAL": lambda c: f"&#X{ord(c):X};",
    "named": lambda c: NAMED.get(c, c),
    "HTML of HTML": lambda c: html.escape(NAMED.get(c, f"&#{ord(c)};")),
    "HTML in JSON": lambda c: f"\\u0026#{ord(c)};",
}
WHOLE: dict[str, Callable[[str], str]] = {
    "mixed": lambda key: "".join(list(FORMS.values())[at % len(FORMS)](c) for at, c in enumerate(key)),
    "quote": lambda key: urllib.parse.quote(urllib.parse.quote(key)),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64, one byte on": lambda key: base64.b64encode(f":{key}@".encode()).decode(),
    "base64, two bytes on": lambda key: base64.urlsafe_b64encode(f"a:{key}@@".encode()).decode(),
    "base64 in PHP's JSON": lambda key: base64.b64encode(f"u:{key}".encode()).decode().replace("/", r"\/"),
} | {name: lambda key, form=form: "".join(map(form, key)) for name, form in FORMS.items()}
MARKS = "\\%&#;ux0125aA [key]/"
FEW = [
    pytest.param(form, marks=[pytest.mark.slow] * (number % 3 > 0)) for number, form in enumerate(WHOLE)
]  # fast: one in three


def read_again(text: str) -> str:
    """`text` after every decoder, until none finds anything more; without backslashes, in lower case."""
    before = None
    while text != before:
        before = text
        text = re.sub(
            r"\\+(?:u\{([\da-f]+)\}|U([\da-f]{8})|u([\da-f]{4})|x([\da-f]{2}))",
            lambda m: chr(int(m[m.lastindex or 0], 16) % 0x110000),
            text,
            flags=re.I,
        )
        text = html.unescape(urllib.parse.unquote(text)).replace("\\", "").lower()
    return text


def bodies(said: str) -> dict[str, bytes]:
    """An error that says `said`, in each of the ways in which a server says it."""
    whole = json.dumps({"error": {"message": said}})
    return {
        "JSON": whole.encode(), "its detail": json.dumps({"detail": [{"input": said}]}).encode(),
        "JSON cut off": whole[:-3].encode(), "JSON in JSON cut off": json.dumps(whole)[:-4].encode(),
        "HTML": f"<p>{said}</p>".encode(), "UTF-16": whole.encode("utf-16"),
        "UTF-16 cut off": whole[:-3].encode("utf-16-le"),
    }  # fmt: skip


def heard(serve: Serve, ledger: Ledger, *answers: Answer) -> list[Reply]:
    """What is kept of a call for each of the answers."""
    to = serve(list(answers)).endpoint(api_key_env="PLANTED")
    return list(ledger.fulfil([call(f"p{n}") for n in range(len(answers))], HttpEngine(to), "generate", "g"))


@pytest.mark.parametrize("form", FEW)
@pytest.mark.parametrize(
    "key", [pytest.param(KEY, id="plain"), pytest.param(SPECIAL, id="special", marks=pytest.mark.slow)]
)
def test_no_form_of_the_key_gets_into_ledger_or_message(
    serve: Serve, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, form: str
) -> None:
    """The kind of fault: a filter that knows one spelling. Every spelling in every kind of body, into a row, and
    into what is raised."""
    monkeypatch.setenv("PLANTED", key)
    sent = bodies(f"No such key: {WHOLE[form](key)} here")
    errors = [reply.error or "" for reply in heard(serve, ledger, *(Answer(body, 400) for body in sent.values()))]
    raised = []
    for body in sent.values():
        with pytest.raises(CurationError) as caught:
            replies(serve([Answer(body, 401)]).endpoint(api_key_env="PLANTED"), [call()])
        raised.append(str(caught.value))
    for said in errors + raised:
        assert re.search(r"No such key: .{0,4}\[key\].{0,5} here", said.replace("\\", "")) and read_again(
            key
        ) not in read_again(said)
    ledger.db.execute("PRAGMA wal_checkpoint")
    assert read_again(key) not in read_again((tmp_path / "ledger.sqlite").read_bytes().decode(errors="replace"))


@pytest.mark.parametrize("form", FEW)
def test_no_cut_leaves_a_part_of_the_key(
    serve: Serve, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """The kind of fault: cut first and redact then. The cut is ours, at 300 characters, or the server's own, at any
    character after the eighth."""
    monkeypatch.setenv("PLANTED", KEY)
    sent = WHOLE[form](KEY)
    long = {
        n: failing(400, f"{'-' * n} {sent} {'-' * 300}") for n in (*range(300 - len(KEY) - 3, 300), 299 - len(sent))
    }
    ends = {n: failing(400, f"refused: {sent[:n]}") for n in range(len(sent))}
    for answer in (*long.values(), *ends.values()):
        message = json.loads(answer.body)["error"]["message"]
        shown = read_again(redact(message, KEY)[:300])
        assert KEY[:SHORT] not in shown and KEY[-SHORT:] not in shown, message
        assert sent[len(sent) // 2 :] not in redact(message, KEY)
    error = heard(serve, ledger, long[299 - len(KEY) // 2])[0].error or ""
    assert error.startswith("HTTP 400: ---") and len(error) <= 310 and "sk-" not in read_again(error)


PROJECT = "sk-proj-Ab3_kQ9zXw7LmN2pRt5VuYc8dEf1gHj4kSs6uZ0aB-Tq"
PARTS = {  # of a key, as servers and their libraries shorten it: all of it that may be left
    "the middle cut": (f"{PROJECT[:26]}...{PROJECT[-25:]}", "[key]...[key]"),
    "the end cut": (f"'{PROJECT[:40]}...'", "'[key]...'"),
    "the end cut, one sign": (f"{PROJECT[:40]}… is wrong", "[key]… is wrong"),
    "the end cut, a quote": (f'"{PROJECT[:40]}" is wrong', '"[key]" is wrong'),
    "the beginning cut": (f"…{PROJECT[12:]}, which", "…[key], which"),
    "both ends cut": (f"*{PROJECT[9:17]}*", "*[key]*"),
    "in capitals": (f"{PROJECT[:40].upper()}...", "[key]..."),
    "of its base64": (f"{base64.b64encode(PROJECT.encode()).decode()[:40]}...", "[key]..."),
    "short": (f"{PROJECT[:7]}...{PROJECT[-4:]}", f"{PROJECT[:7]}...{PROJECT[-4:]}"),
}


@pytest.mark.parametrize("how", PARTS)
def test_a_shortened_key_is_cut_out_too(
    serve: Serve, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The kind of fault: a filter for the whole key. Most of one is a key too, and the rest of it can be guessed."""
    monkeypatch.setenv("PLANTED", PROJECT)
    part, left = PARTS[how]
    [reply] = heard(serve, ledger, failing(400, f"input_value={part}!"))
    assert reply.error == f"HTTP 400: input_value={left}!"


@pytest.mark.parametrize("space", [" ", "\n", "\r\n", "\n\t"], ids=repr)
def test_white_space_within_hides_no_key(
    serve: Serve, open_ledger: OpenLedger, monkeypatch: pytest.MonkeyPatch, space: str
) -> None:
    """The kind of fault: a key broken by whoever passed it on: a proxy, at any place; MIME's base64, at 76 a line.
    In what is no JSON the line ends are escaped too."""
    monkeypatch.setenv("PLANTED", PROJECT)
    in_base64 = base64.b64encode(f"{'x' * 42}:{PROJECT}@".encode()).decode()
    broken = [
        space.join(PROJECT),
        *(PROJECT[:at] + space + PROJECT[at:] for at in (1, 8, 25, len(PROJECT) - 1)),
        f"{in_base64[:76]}{space}{in_base64[76:]}",
    ]
    for at, said in enumerate(broken):
        for reply in heard(
            serve, open_ledger(f"{at}"), *(Answer(body, 400) for body in bodies(f"no {said} here").values())
        ):
            assert re.search(r"no (eHh4){0,14}.{0,2}\[key\].{0,4} here", reply.error or ""), reply.error


@pytest.mark.parametrize("sign", ["\0", "\x1b", "\x7f", "\x9b", "\u200b", "\u202e", "\u00ad"], ids=repr)
def test_what_no_terminal_shows_hides_no_key_and_is_not_shown(
    serve: Serve, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    """The kind of fault: text that is not what it looks like: it moves the cursor, hides a key, or turns a line
    round."""
    monkeypatch.setenv("PLANTED", PROJECT)
    [reply] = heard(serve, ledger, failing(400, f"{sign}[31mno {PROJECT[:9]}{sign}{PROJECT[9:]}{sign}: é, 数"))
    assert reply.error == "HTTP 400: [31mno [key] : é, 数"


@pytest.mark.parametrize("key", ["EMPTY", "x", "1", "stop", "content", '":', KEY, SPECIAL])
def test_a_good_reply_is_kept_byte_for_byte(
    serve: Serve, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """The kind of fault: what guards an error also reaches the text that is learnt from: words, tokens, refusals,
    numbers, names of fields."""
    monkeypatch.setenv("PLANTED", key)
    text = f"The set is EMPTY, x, 3. 2x+3 {key} {key.upper()} {json.dumps(key)} {key}"
    tokens = [(key, {key: -1.125, f" {key}": -2.5}), ("x", {})]
    server = serve(
        lambda request: good(None, refusal=text) if request.last_message == "refuse" else good(text, logprobs=tokens)
    )
    calls = [call("p"), call("refuse")]
    plain, refused = ledger.fulfil(calls, HttpEngine(server.endpoint(api_key_env="PLANTED")), "generate", "g")
    expected = Reply(text, "stop", 7, 3, [[key, {key: -1.125, f" {key}": -2.5}], ["x", {}]], None, "fake fake-1")
    assert plain == expected == ledger.find(calls[0])
    assert refused == Reply(None, "refusal", 7, 3, None, None, "fake fake-1", refusal=text) == ledger.find(calls[1])
    assert [one.authorization for one in server.requests] == [f"Bearer {key}"] * 2 and upkeep.find_redacted(
        ledger
    ) == []


def test_a_reply_of_another_shape_is_kept_and_shown_to_the_model_as_it_is(
    serve: Serve, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED", KEY)
    server = serve([good(f"steps of {KEY}"), good('{"steps": 1}')])
    list(
        ledger.fulfil(
            [call()], HttpEngine(server.endpoint(api_key_env="PLANTED", validation_retries=1), Ratings), "judge", "j"
        )
    )
    assert f"steps of {KEY}" in str(server.requests[1].body["messages"])
    assert ledger.db.execute("SELECT text FROM calls ORDER BY attempt").fetchall() == [
        (f"steps of {KEY}",),
        ('{"steps": 1}',),
    ]


@pytest.mark.parametrize("key", [KEY, "stop", "fp"])
def test_what_a_server_says_beside_the_text_holds_no_key(
    serve: Serve, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """The kind of fault: another column that a server fills. A dummy key is no secret, and takes no word of the
    protocol away."""
    monkeypatch.setenv("PLANTED", key)
    choice = {"message": {"content": "fine"}, "finish_reason": key}
    [reply] = heard(serve, ledger, shaped({"choices": [choice], "system_fingerprint": f"fp {key}"}))
    shown = "[key]" if key == KEY else key
    assert (reply.text, reply.finish_reason, reply.engine) == ("fine", shown, f"fake fp {shown}")


@pytest.mark.parametrize(
    "value", ["sk-planted 01234", "sk-plan\nted", "sk-plan\x01ted", "sk-plánted", "sk-planted\u200b", "“sk-planted”"]
)
def test_a_key_that_no_request_can_carry_is_named_and_not_shown(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """The kind of fault: a value from outside that first fails deep in a library, in a traceback, or goes out as
    other bytes than are looked for."""
    monkeypatch.setenv("PLANTED", value)
    server = serve([good("x")])
    with pytest.raises(CurationError) as caught:
        replies(server.endpoint(api_key_env="PLANTED"), [call()])
    said = (
        "the environment variable PLANTED (api_key_env) holds white space or a character beyond ASCII, "
        "which no key has; export the key alone"
    )
    assert str(caught.value) == f"{server.url}: {said}"
    assert server.requests == []


SHORT_KEYS = {
    (
        "x",
        "max x: x, 'x' x-ray \\nx\\u0022x%20x &quot;x&quot; x2 _x \\u0078",
    ): "max [key]: [key], '[key]' [key]-ray \\n[key]\\u0022[key]%20[key] &quot;[key]&quot; x2 _x [key]",
    (
        "EMPTY",
        "prompt is empty; key EMPTY, NONEMPTY, Bearer EMPTY",
    ): "prompt is empty; key [key], NONEMPTY, Bearer [key]",
    (
        "hunter2",
        r"no such key: \u0068unter2, %68unter2, hunter%32, hunter23",
    ): "no such key: [key], [key], [key], hunter23",
}


@pytest.mark.parametrize(("key", "said"), SHORT_KEYS)
def test_a_dummy_key_leaves_an_error_readable(key: str, said: str) -> None:
    assert redact(said, key) == SHORT_KEYS[key, said]


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_nothing_is_changed(key: str | None) -> None:
    assert redact("bad [key] x", key) == "bad [key] x"


VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
KEYS = st.one_of(
    st.text(VISIBLE, min_size=SHORT, max_size=40),
    st.text(st.sampled_from("\\%&#;u0125xaA/"), min_size=SHORT, max_size=20),
)
MIXES = st.lists(st.sampled_from(list(FORMS)), min_size=1, max_size=12)


@settings(max_examples=4 * settings().max_examples)
@given(
    key=KEYS,
    forms=MIXES,
    before=st.text(st.sampled_from(MARKS), max_size=12),
    after=st.text(st.sampled_from(MARKS), max_size=12),
)
@example(key=SPECIAL, forms=list(FORMS), before="", after="")
@example(key="0000000&", forms=["HTML in JSON"], before="", after="")
@example(key="\\leading", forms=["JSON in JSON"], before="\\", after="\\")
def test_no_mix_of_encodings_hides_a_key(key: str, forms: list[str], before: str, after: str) -> None:
    """For any key and any encoding of each of its characters, between any signs that could be taken for a part of
    them."""
    secret = read_again(key)
    assume(len(secret) >= SHORT and "key" not in secret and secret not in read_again(f"{before}[key]{after}"))
    sent = "".join(FORMS[forms[at % len(forms)]](char) for at, char in enumerate(key))
    assert secret not in read_again(redact(before + sent + after, key))
    words = redact(f"No key {sent} here", key).replace("\\", "")
    assert words == "No key [key] here"


@settings(max_examples=2 * settings().max_examples)
@given(key=KEYS, said=st.text(st.one_of(VISIBLE, st.sampled_from(MARKS)), max_size=200))
def test_nothing_but_the_key_is_taken_out(key: str, said: str) -> None:
    secret, left = read_again(key), "".join(read_again(said).split())
    assume(len(secret) >= SHORT and not any(secret[at : at + 4] in left for at in range(len(secret) - 3)))
    assert redact(said, key) == said


@pytest.mark.slow
@pytest.mark.parametrize(
    "key",
    ["sk-proj-" + "aB3_" * 39, SPECIAL, "\\" * 9, "%25" * 9, "x"],
    ids=["long", "special", "backslashes", "percents", "dummy"],
)
def test_a_large_hostile_error_is_read_in_one_pass(key: str) -> None:
    """The kind of fault: a pattern that tries every way to split a run, or reads a run again from each of its
    characters. The first would never end here, the second take minutes; nothing is timed."""
    size = 120_000
    first, most = key[0], key[:-1] or "y"
    runs = {
        "\\": "\\", "\\u00": "\\", "%25": "%", "&amp;": "&", "&#x0": "&", "\\u" + "0" * 500: "\\",
        first + "\\" * 500: first, most: most, "".join(f"{char}\\\\\\\\" for char in most): most,
        "".join(f"&#{ord(char)};" for char in most): most, " ": " ",
    }  # fmt: skip
    for run in runs:
        said = run * (size // len(run))
        assert redact(f"{said} {WHOLE['U'](key)} end", key).endswith("[key] end")
