"""Multipart forms: whole, in pieces, and broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashformer.service.form import FileForm
from hashformer.service.refusals import RefusedError

TYPE = "multipart/form-data; boundary=edge"


def body(*parts, end=b"--edge--\r\n"):
    return b"".join(b"--edge\r\n" + head + b"\r\n\r\n" + content + b"\r\n" for head, content in parts) + end


def part(content=b"film", *, name="file", filename="clip.mp4", more=b""):
    return f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'.encode() + more, content


def read(whole, *, piece=10_000, content_type=TYPE):
    form = FileForm(content_type)
    content = b"".join(form.feed(whole[i : i + piece]) for i in range(0, len(whole), piece))
    return form.finish(), content


@given(st.binary(max_size=300), st.integers(min_value=1, max_value=60))
def test_the_file_comes_through_however_the_wire_cuts_it(content, piece):
    # The body may hold anything but its own boundary.
    whole = body(part(b"(" + content.replace(b"edge", b"") + b")", name="file"))
    assert read(whole, piece=piece) == ("clip.mp4", b"(" + content.replace(b"edge", b"") + b")")


def test_other_fields_are_let_by():
    note = (b'Content-Disposition: form-data; name="note"', b"hello")
    file_elsewhere = part(b"no", name="other")
    assert read(body(note, file_elsewhere, part(), note)) == ("clip.mp4", b"film")


def test_a_name_in_any_script():
    assert read(body(part(filename="видео ø.mp4")))[0] == "видео ø.mp4"


def test_a_name_that_is_a_path():
    assert read(body(part(filename="../../x/clip.mp4")))[0] == "clip.mp4"
    assert read(body(part(filename="C:\\\\x\\\\clip.mp4")))[0] == "clip.mp4"


def refusal(whole, **kwargs):
    with pytest.raises(RefusedError) as error:
        read(whole, **kwargs)
    return error.value.status, error.value.code


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=x"])
def test_what_is_no_form(content_type):
    assert refusal(b"", content_type=content_type) == (415, "not_multipart")


@pytest.mark.parametrize(
    ("whole", "answer"),
    [
        (b"", (422, "no_file")),
        (body((b'Content-Disposition: form-data; name="file"', b"text")), (422, "no_file")),
        (body(part(), part()), (422, "several_files")),
        (body(part(filename="clip.exe")), (415, "not_media")),
        (body(part(), end=b""), (422, "bad_form")),
        (b"nothing of the kind", (422, "bad_form")),
        (b"--edge\r\n: x\r\n\r\n", (422, "bad_form")),
        (body((b"X: " + b"y" * 100_000, b"")), (422, "bad_form")),
        (body((b"X: y\r\n" * 1000 + b"Z: z", b"")), (422, "bad_form")),
    ],
)
def test_broken_forms(whole, answer):
    assert refusal(whole) == answer


def test_a_boundary_of_no_sane_length():
    assert refusal(b"", content_type="multipart/form-data; boundary=" + "x" * 5000) == (422, "bad_form")


def test_a_stated_type_of_media_will_do():
    assert read(body(part(filename="blob", more=b"\r\nContent-Type: video/webm")))[0] == "blob"
