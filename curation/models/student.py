"""The student: the model that is trained, and how prompts and traces are written for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from curation.calls.extra import check_template_kwargs
from curation.core.devices import Device
from curation.core.errors import CurationError
from curation.core.params import Plain, Strict
from curation.core.ranges import Day, FilePath, Filled, Word
from curation.core.study import Study
from curation.models.chat_template import CLOCK, Template, find_unread, reads_clock
from curation.models.weights import fingerprint


class Params(Strict):
    """`student` in params.yaml: the model that runs train. `revision` is `sha256:…` of local weights, or a hub
    revision; null where nothing loads the student.

    The rest says how prompts and traces are written for it, in training, scoring and evaluation alike: how the
    `reasoning` of a trace reaches it, a `chat_template` in place of its tokenizer's, the message `system` before
    prompts that have none, what else the template is told (`template_kwargs`), and what day it is (`template_date`).
    """

    model: FilePath
    revision: Word | None
    dtype: Literal["float32", "bfloat16"]
    device: Device
    reasoning: Literal["reasoning_content", "thinking", "inline", "text", "drop"] | None = None
    chat_template: FilePath | None = None
    chat_template_revision: Word | None = None
    system: Filled | None = None
    template_kwargs: Annotated[dict[Word, Plain], AfterValidator(check_template_kwargs)] | None = None
    template_date: Day | None = None

    @property
    def pinned(self) -> str:
        """The revision. Raises CurationError if it is null."""
        if self.revision is None:
            raise CurationError("student.revision: null, but the student is loaded; write the revision of its weights")
        return self.revision

    @property
    def template(self) -> Template:
        """The text of `chat_template`, and the day. Raises CurationError if the file cannot be read, or does not hash
        to `chat_template_revision`."""
        for line in self._template_faults():
            raise CurationError(f"student.{line}")
        text = None if self.chat_template is None else Path(self.chat_template).read_text("utf-8-sig")
        return Template(text, self.template_date)

    def mistakes(self, study: Study) -> Iterator[str]:
        """A revision that is null though something loads the student, or though there is a file that it is of."""
        if self.revision is None and (user := _student_user(study)):
            yield f"revision: null, but {user} the student; write `sha256:…` of its weights, or a revision on the hub"
        if self.chat_template is None and self.chat_template_revision is not None:
            yield "chat_template_revision: there is no chat_template that it is of; name one, or take it out"

    def unmet(self, study: Study) -> Iterator[str]:
        """What of the student is not there, if anything loads it."""
        from curation.core.devices import find_unmet_torch
        from curation.models.local import find_model_faults, read_chat_template

        if _student_user(study):
            yield from find_model_faults(self.model, self.revision)
            yield from find_unmet_torch(self.device, self.dtype)
            faults = list(self._template_faults())
            yield from faults
            text = None if faults else self.template.text or read_chat_template(self.model)
            if text and self.template_date is None and reads_clock(text, self.template_kwargs or {}):
                yield f"template_date: the chat template {CLOCK}"
            for name in find_unread(text, self.template_kwargs or {}) if text else ():
                yield f"template_kwargs.{name}: the chat template reads no such setting; leave it out"

    def _template_faults(self) -> Iterator[str]:
        """What is wrong with the file of `chat_template`. DVC sees its hash, and not the file, in what a run depends
        on."""
        if self.chat_template is None:
            return
        file = Path(self.chat_template)
        try:
            text = file.read_text("utf-8-sig")
        except OSError as error:
            yield f"chat_template: {file}: cannot be read: {error.strerror}; name a file of Jinja"
        except UnicodeDecodeError:
            yield f"chat_template: {file}: is not UTF-8; save it as UTF-8"
        else:
            if not text.strip():
                yield f"chat_template: {file}: is empty; name a file of Jinja, or leave it out for the tokenizer's own"
            if self.chat_template_revision != (actual := fingerprint(file)):
                yield (
                    f"chat_template_revision: {self.chat_template_revision or 'null'} is not the hash of {file}; "
                    f"write {actual}"
                )


def _student_user(study: Study) -> str | None:
    """What loads the student, in words; None if nothing does."""
    if study.runs:
        return "the grid's runs train"
    if study.scorers:
        return "scorers ask"
    if study.renderings.count:
        return "traces are rendered for"
    return "benchmarks are answered by" if study.benchmarks else None
