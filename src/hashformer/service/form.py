"""A multipart form read as it arrives: one file goes through, nothing else is kept."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hashformer.service.names import display_name, may_be_media
from hashformer.service.refusals import RefusedError

FIELD = "file"


class FileForm:
    """Takes the body of a request piece by piece and gives back the bytes of its one file.

    Args:
        content_type: The header of the request.

    Raises:
        RefusedError: 415 if the body is no multipart form.
    """

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise RefusedError(
                415,
                "not_multipart",
                f"the content type is {content_type[:100]!r}; send multipart/form-data with one field {FIELD!r}, "
                f"as `curl -F {FIELD}=@clip.mp4` does.",
            )
        self.name: str | None = None
        self.is_complete = False
        self._reads_file = False
        self._found = bytearray()
        self._field, self._value = bytearray(), bytearray()
        self._headers: dict[str, str] = {}
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._part_starts,
                    "on_part_data": self._data,
                    "on_part_end": self._part_ends,
                    "on_end": self._form_ends,
                },
            )
        except FormParserError as error:
            raise _malformed(error) from error

    def feed(self, chunk: bytes) -> bytes:
        """Read the next piece of the body.

        Returns:
            The bytes of the file in it.

        Raises:
            RefusedError: 422 if the form is malformed or holds two files, 415 if the file is not named as media.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _malformed(error) from error
        found = bytes(self._found)
        self._found.clear()
        return found

    def finish(self) -> str:
        """The body has ended.

        Returns:
            The name of the file, for show.

        Raises:
            RefusedError: 422 if the form is cut short or held no file.
        """
        if self.name is None:
            raise RefusedError(422, "no_file", f"the form has no file in a field named {FIELD!r}. Send one.")
        if not self.is_complete:
            raise RefusedError(
                422, "bad_form", "the form ends before its closing boundary: it is cut short. Send it again."
            )
        return self.name

    def _header_ends(self) -> None:
        field = self._field.decode("latin-1").strip().lower()
        self._headers[field] = self._value.decode("utf-8", errors="replace").strip()
        self._field.clear()
        self._value.clear()

    def _part_starts(self) -> None:
        # The parser's own reader of such headers takes Latin-1 only: names come as UTF-8 and go through as such.
        stated = self._headers.get("content-disposition", "").encode().decode("latin-1")
        _, options = parse_options_header(stated)
        self._reads_file = options.get(b"name") == FIELD.encode() and b"filename" in options
        if not self._reads_file:
            return
        if self.name is not None:
            raise RefusedError(422, "several_files", "the form holds more than one file. Send one request for each.")
        self.name = display_name(options[b"filename"].decode("utf-8", errors="replace"))
        content_type = self._headers.get("content-type", "")
        if not may_be_media(self.name, content_type):
            raise RefusedError(
                415,
                "not_media",
                f"{self.name}: neither the name nor the type {content_type[:60]!r} is one of a video or sound file. "
                "Name it as what it is, such as clip.mp4.",
            )

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._reads_file:
            self._found.extend(memoryview(data)[start:end])

    def _part_ends(self) -> None:
        self._reads_file = False

    def _form_ends(self) -> None:
        self.is_complete = True


def _malformed(error: FormParserError) -> RefusedError:
    return RefusedError(422, "bad_form", f"the multipart form is malformed: {str(error)[:200]}. Send it again.")
