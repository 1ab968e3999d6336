"""WhatsApp chats exported as text: a record a message, with its day, time, author and what kind of line it is.

Android: `09.07.2025, 02:25 - Name: text`, `7/9/25, 2:25 AM - Name: text`; iOS: `[09.07.2025, 02:25:11] Name: text`. A text
goes on over lines that begin no message. Source: the formats that WhatsR, whatstk and chat-miner read.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from flitstack.staging.encodings import UNREADABLE, Lines
from flitstack.staging.source import Record, Reject, Remarks

HEADER = ["Message", "Chat", "Date", "Time", "Author", "Text", "Kind"]
_DAY, _CLOCK = (
    r"(\d{1,4})([./-])(\d{1,2})[./-](\d{1,4})",
    r"(\d{1,2})[:.](\d\d)(?:[:.](\d\d))?(?:\s*([AaPp])\.?\s?[Mm]\.?)?",
)
_ANDROID = re.compile(rf"{_DAY},?\s+{_CLOCK}\s+[-–]\s(.*)", re.DOTALL)
_IOS = re.compile(rf"\[{_DAY},?\s+{_CLOCK}\]\s(.*)", re.DOTALL)
_AUTHOR = re.compile(r"([^:\n]{1,100}): (.*)", re.DOTALL)
# Marks of direction that iOS writes, and blanks that are none to a regular expression of another language.
_MARKS = str.maketrans(dict.fromkeys("\u200e\u200f\u202a\u202c\ufeff") | {"\u202f": " ", "\xa0": " "})
_MEDIA = re.compile(
    r"<[^<>]{2,60}>|<attached: [^<>]+>|\S+ \(file attached\)|\S+ \(dosya ekli\)"
    r"|(image|video|audio|sticker|GIF|document|Contact card) omitted|(görüntü|video|ses|çıkartma|belge) dahil edilmedi",
    re.IGNORECASE,
)
_PREFIX = re.compile(
    r"^(?:WhatsApp Chat (?:with|-)|WhatsApp Sohbeti -?|WhatsApp-Chat mit|Чат WhatsApp (?:с|з))\s+", re.IGNORECASE
)
HEAD_LINES = 20


def is_chat(path: Path, encoding: str) -> bool:
    """Whether the text's first line begins a message and a second one follows among the first lines."""
    with Lines(path, encoding) as lines:
        head = [line for line in islice(lines, HEAD_LINES) if line.strip()]
    begun = [_begin(line) is not None for line in head]
    return bool(begun) and begun[0] and (sum(begun) > 1 or len(begun) == 1)


class ChatSource:
    """One chat. Days are ISO where the file settles the order of day and month, else as written with four-digit years."""

    def __init__(self, path: Path, inside: PurePosixPath, encoding: str) -> None:
        self.path, self.inside, self.encoding = path, str(inside), encoding
        self.remarks = Remarks()
        self.header = list(HEADER)
        stem = inside.parent.name if inside.stem.lstrip("_").casefold() == "chat" else inside.stem
        self.chat = _PREFIX.sub("", stem)
        self.order = find_order(_day(match) for match, _, _ in self._messages())

    def records(self) -> Iterator[Record | Reject]:
        """Every message; one that holds unreadable bytes is a reject."""
        for number, (match, line, text) in enumerate(self._messages(), start=1):
            if UNREADABLE in (raw := match.string + text):
                yield Reject(number, line, "bad_row", f"holds bytes that are no {self.encoding} text", raw)
                continue
            hour, minute, second, half, said = match.group(5, 6, 7, 8, 9)
            author, body = _told(said + text)
            kind = "system" if author is None else "media" if _MEDIA.fullmatch(body) else "text"
            day = iso_day(_day(match), self.order)
            clock = f"{_hour(int(hour), half):02d}:{minute}:{second or '00'}"
            yield Record(number, line, [f"{self.inside}#{number}", self.chat, day, clock, author, body, kind])

    def _messages(self) -> Iterator[tuple[re.Match[str], int, str]]:
        """The beginning of each message, its line, the lines that follow."""
        with Lines(self.path, self.encoding) as lines:
            begun: re.Match[str] | None = None
            at, more = 0, []
            for line in lines:
                if (match := _begin(line)) is None:
                    more.append(line.translate(_MARKS).rstrip("\r\n"))
                    continue
                if begun is not None:
                    yield begun, at, "".join(f"\n{text}" for text in more)
                begun, at, more = match, lines.number, []
            if begun is not None:
                yield begun, at, "".join(f"\n{text}" for text in more)


Day = tuple[str, str, str, str]  # first number, separator, second, third


def find_order(days: Iterable[Day]) -> str:
    """DMY | MDY | YMD as the whole file shows it: a number above 12, else the order in which the days never go back.

    Points part day and month in that order everywhere. Empty where a file fits both.
    """
    fits = {"DMY": True, "MDY": True}
    last: dict[str, tuple[int, int, int]] = {}
    for first, mark, second, third in days:
        if len(first) == 4:
            return "YMD"
        if mark == ".":
            return "DMY"
        for order, (day, month) in (("DMY", (first, second)), ("MDY", (second, first))):
            at = (int(third), int(month), int(day))
            fits[order] &= int(month) <= 12 and at >= last.get(order, at)
            last[order] = at
    found = [order for order, is_fitting in fits.items() if is_fitting]
    return found[0] if len(found) == 1 else ""


def iso_day(day: Day, order: str) -> str:
    """The day in ISO form; as written, its year with four digits, where the order is not known."""
    first, mark, second, third = day
    if order == "YMD":
        return f"{first}-{int(second):02d}-{int(third):02d}"
    year = third if len(third) == 4 else f"20{third:0>2}"
    if not order:
        return f"{first}{mark}{second}{mark}{year}"
    number, month = (first, second) if order == "DMY" else (second, first)
    return f"{year}-{int(month):02d}-{int(number):02d}"


def _begin(line: str) -> re.Match[str] | None:
    text = line.translate(_MARKS).rstrip("\r\n")
    return _IOS.fullmatch(text) or _ANDROID.fullmatch(text)


def _day(begun: re.Match[str]) -> Day:
    return begun[1], begun[2], begun[3], begun[4]


def _told(said: str) -> tuple[str | None, str]:
    """Author and text; a line of the system has no author."""
    match = _AUTHOR.fullmatch(said)
    return (match.group(1).strip(), match.group(2).strip()) if match else (None, said.strip())


def _hour(hour: int, half: str | None) -> int:
    """The hour of the day; `half` is the a of am, the p of pm, or nothing."""
    if not half:
        return hour
    return hour % 12 + (12 if half in "pP" else 0)
