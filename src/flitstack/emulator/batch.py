"""Carrying out a `$batch`: order, change sets, Content-ID references, what happens after a failure.

Source: Microsoft Learn, "Execute batch operations using the Web API".
"""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from flitstack.emulator.answers import refused
from flitstack.emulator.batch_parts import (
    ChangeSet,
    ChangeSetAnswer,
    Part,
    PartAnswer,
    malformed,
    read_batch,
    write_batch,
)
from flitstack.emulator.messages import Answer, Caller, Refusal, Request
from flitstack.emulator.urls import MAX_URL_IN_BATCH, read_resource, url_too_long

MAX_REQUESTS = 1000
Perform = Callable[[Request, Caller], Answer]
_REFERENCE = re.compile(r"\$([^/?()]+)")
# What a part takes from the request around it; all other headers stand in the part itself.
_INHERITED = ("mscrm.bypasscustompluginexecution", "mscrm.bypassbusinesslogicexecution", "mscrm.solutionuniquename")


class Batch:
    """One `$batch` request at work.

    `perform` raises Refusal; `answer` turns every failure of a part into its answer; `transaction` holds a change set;
    `act` gives the caller of a part by its headers.
    """

    def __init__(
        self,
        request: Request,
        caller: Caller,
        perform: Perform,
        answer: Perform,
        transaction: Callable[[], AbstractContextManager[None]],
        act: Callable[[Caller, Mapping[str, str]], Caller],
    ) -> None:
        self._request = request
        self._caller = caller
        self._perform = perform
        self._answer = answer
        self._transaction = transaction
        self._act = act
        self._outer = {name: request.headers[name] for name in _INHERITED if name in request.headers}

    def run(self, *, only_half: bool = False) -> Answer:
        """The answer to the whole batch. `only_half`: a server that dies on the way."""
        request = self._request
        if request.method != "POST":
            raise Refusal(405, "0x80060888", "The requested resource does not support this http method.")
        items = self._read()
        if only_half:
            items = items[: len(items) // 2]
        continues = request.prefers("odata.continue-on-error") is not None
        answers: list[PartAnswer | ChangeSetAnswer] = []
        status = 200
        for item in items:
            done = self._run_changes(item) if isinstance(item, ChangeSet) else PartAnswer(self._run_part(item))
            answers.append(done)
            if isinstance(done, PartAnswer) and done.answer.status >= 400 and not continues:
                status = done.answer.status
                break
        content_type, body = write_batch(answers)
        headers = {"Content-Type": content_type, "OData-Version": "4.0"}
        if continues:
            headers["Preference-Applied"] = "odata.continue-on-error"
        return Answer(status, body, headers)

    def _read(self) -> list[Part | ChangeSet]:
        items = read_batch(self._request.headers.get("content-type", ""), self._request.body)
        count = sum(len(item.parts) if isinstance(item, ChangeSet) else 1 for item in items)
        if count > MAX_REQUESTS:
            raise malformed(f"a batch holds at most {MAX_REQUESTS} requests, this one {count}.")
        return items

    def _run_part(self, part: Part) -> Answer:
        try:
            request, caller = self._to_request(part, {}), self._caller_of(part)
        except Refusal as refusal:
            return refused(refusal)
        return self._answer(request, caller)

    def _run_changes(self, changes: ChangeSet) -> PartAnswer | ChangeSetAnswer:
        """All of it or nothing: the first refusal is the one answer of the change set."""
        done = ChangeSetAnswer()
        ids: dict[str, str] = {}
        part = None
        try:
            with self._transaction():
                for part in changes.parts:
                    if part.method == "GET":
                        raise malformed("a change set holds no GET requests.")
                    answer = self._perform(self._to_request(part, ids), self._caller_of(part))
                    if part.content_id is not None:
                        ids[part.content_id] = self._entity_of(answer)
                    done.parts.append(PartAnswer(answer, part.content_id))
        except Refusal as refusal:
            return PartAnswer(refused(refusal), part.content_id if part else None)
        return done

    def _caller_of(self, part: Part) -> Caller:
        """Whoever asks for the batch, unless the part acts for somebody of its own."""
        return self._act(self._caller, part.headers)

    def _to_request(self, part: Part, ids: Mapping[str, str]) -> Request:
        url = part.url.lstrip("/") if part.url.startswith("/$") else part.url
        reference = _REFERENCE.match(url)
        if reference is not None and reference[1] not in {"batch", "metadata"}:
            known = ids.get(reference[1])
            if known is None:
                raise undeclared(reference[1])
            url = known + url[reference.end() :]
        resource = read_resource(url)
        if resource is None:
            raise Refusal(404, "0x8006088a", f"Resource not found for the segment '{part.url}'.")
        if resource.path.startswith("$batch"):
            raise malformed("a batch must not hold another one.")
        if len(part.url) > MAX_URL_IN_BATCH:
            raise url_too_long(part.url, MAX_URL_IN_BATCH)
        return Request(
            part.method,
            resource.path,
            resource.query,
            self._outer | part.headers,
            part.body,
            self._request.base_url,
            ids,
        )

    def _entity_of(self, answer: Answer) -> str:
        url = answer.headers.get("OData-EntityId") or answer.headers.get("Location") or ""
        return url.removeprefix(self._request.base_url)


def undeclared(reference: str) -> Refusal:
    """400 for a Content-ID that no earlier part of the change set has."""
    return Refusal(400, "0x0", f"Content-ID Reference: '${reference}' does not exist in the batch context.")
